// Files: whole ones, parts, errors, Close beside other calls, and that a reader who waits in the
// kernel stalls nobody.
#include "gort/os/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/support/goroutines.h"
#include "gtest/gtest.h"

namespace gort::os {
namespace {

using gort::testing::InGort;
using gort::testing::Procs;

std::string Path(const char* name) {
  const char* dir = std::getenv("TEST_TMPDIR");
  return std::string(dir != nullptr ? dir : "/tmp") + "/gort_file_test_" + name;
}

TEST(WholeFile, ComesBackAsItWasWritten) {
  InGort([] {
    const std::string path = Path("whole");
    for (size_t size : {0u, 1u, 4095u, 4096u, 4097u, 1'000'000u}) {
      std::string data(size, '\0');
      for (size_t i = 0; i < size; ++i) data[i] = static_cast<char>(i * 31);
      EXPECT_TRUE(WriteFile(path, data).ok());
      absl::StatusOr<std::string> got = ReadFile(path);
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_EQ(*got, data) << size;
    }
    EXPECT_FALSE(ReadFile("/proc/self/status")->empty());  // of size 0, as the kernel says
    EXPECT_TRUE(WriteFile(path, "short").ok());
    EXPECT_EQ(*ReadFile(path), "short");
    unlink(path.c_str());
  });
}

TEST(WholeFile, ErrorsNameTheFile) {
  InGort([] {
    EXPECT_EQ(ReadFile("/no/such").status(),
              absl::NotFoundError("open /no/such: No such file or directory"));
    EXPECT_EQ(WriteFile("/no/such", "x"),
              absl::NotFoundError("open /no/such: No such file or directory"));
    EXPECT_EQ(ReadFile("/").status(),
              absl::Status(absl::ErrnoToStatusCode(EISDIR), "read /: Is a directory"));
    EXPECT_EQ(ReadFile(std::string("/dev/null\0x", 11)).status().code(),  // not /dev/null
              absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(WriteFile("/dev/full", "x"),
              absl::ResourceExhaustedError("write /dev/full: No space left on device"));
  });
}

TEST(File, PartsAndPlaces) {
  InGort([] {
    const std::string path = Path("parts");
    File file = *File::Create(path, 0600);
    struct stat about {};
    EXPECT_EQ(stat(path.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, 0600u);
    EXPECT_EQ(*file.Write("hello "), 6u);
    EXPECT_EQ(*file.Write("world"), 5u);
    EXPECT_EQ(*file.WriteAt(0, "J"), 1u);
    EXPECT_EQ(*file.Size(), 11);
    EXPECT_TRUE(file.Sync().ok());
    char buf[8];
    EXPECT_EQ(*file.ReadAt(6, absl::MakeSpan(buf)), 5u);
    EXPECT_EQ(std::string(buf, 5), "world");
    EXPECT_EQ(*file.ReadAt(100, absl::MakeSpan(buf)), 0u);
    EXPECT_EQ(file.ReadAt(-1, absl::MakeSpan(buf)).status().code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(file.WriteAt(-1, "x").status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(*file.Read(absl::MakeSpan(buf)), 0u);  // it stands at its end
    File again = *File::Open(path);
    EXPECT_EQ(*again.Read(absl::MakeSpan(buf)), 8u);
    EXPECT_EQ(std::string(buf, 8), "Jello wo");
    EXPECT_FALSE(again.Write("x").ok());
    unlink(path.c_str());
  });
}

// pwrite(2) ignores the place then. Go: errWriteAtInAppendMode
TEST(File, APlaceInAFileThatAppendsIsRefused) {
  InGort([] {
    const std::string path = Path("appends");
    File file = *File::OpenWith(path, O_RDWR | O_CREAT | O_APPEND);
    EXPECT_EQ(*file.Write("123"), 3u);
    EXPECT_EQ(file.WriteAt(0, "x").status(),
              absl::InvalidArgumentError("write " + path + ": WriteAt with O_APPEND"));
    char buf[8];
    EXPECT_EQ(*file.ReadAt(1, absl::MakeSpan(buf)), 2u);
    unlink(path.c_str());
  });
}

TEST(File, AfterCloseAndWithoutAFile) {
  InGort([] {
    File file = *File::Open("/dev/null");
    File moved = std::move(file);
    char buf[1];
    EXPECT_EQ(file.Read(absl::MakeSpan(buf)).status(),
              absl::FailedPreconditionError("read file already closed"));
    EXPECT_TRUE(moved.Close().ok());
    EXPECT_EQ(moved.Close(), absl::FailedPreconditionError("close /dev/null: file already closed"));
    EXPECT_EQ(moved.Write("x").status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(File().Size().status().code(), absl::StatusCode::kFailedPrecondition);
  });
}

// The read of a FIFO, opened for blocking, waits in the kernel; on one processor the writer runs
// all the same.
TEST(File, APipeWithoutAReaderIsAnError) {
  InGort([] {
    const std::string path = Path("pipe");
    unlink(path.c_str());
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    absl::StatusOr<File> reader = File::OpenWith(path, O_RDONLY | O_NONBLOCK);
    absl::StatusOr<File> writer = File::OpenWith(path, O_WRONLY);
    ASSERT_TRUE(writer.ok()) << writer.status();
    EXPECT_EQ(writer->Write("first").value_or(0), 5u);
    ASSERT_TRUE(reader->Close().ok());
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(writer->Write("second").status().message(), "write " + path + ": Broken pipe");
    }
  });
}

TEST(File, AReaderThatWaitsLendsItsProcessor) {
  InGort([] {
    Procs one(1);
    const std::string path = Path("fifo");
    unlink(path.c_str());
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    File file = *File::OpenWith(path, O_RDWR);
    WaitGroup wg;
    std::string got;
    wg.Go([&] {
      char buf[8];
      got.assign(buf, *file.Read(absl::MakeSpan(buf)));
    });
    wg.Go([&] { EXPECT_TRUE(file.Write("hello").ok()); });
    wg.Wait();
    EXPECT_EQ(got, "hello");
    unlink(path.c_str());
  });
}

TEST(File, CloseBesideReadsTakesNobodysNumber) {
  InGort([] {
    const std::string path = Path("close");
    EXPECT_TRUE(WriteFile(path, std::string(100, 'a')).ok());
    for (int round = 0; round < 200; ++round) {
      File file = *File::Open(path);
      WaitGroup wg;
      for (int i = 0; i < 2; ++i) {
        wg.Go([&] {
          char buf[100];
          for (;;) {
            absl::StatusOr<size_t> n = file.ReadAt(0, absl::MakeSpan(buf));
            if (!n.ok()) return;
            EXPECT_EQ(*n, 100u);
          }
        });
      }
      wg.Go([&] { EXPECT_TRUE(file.Close().ok()); });
      wg.Wait();
    }
    unlink(path.c_str());
  });
}

}  // namespace
}  // namespace gort::os
