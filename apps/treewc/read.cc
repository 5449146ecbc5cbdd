#include "gort/apps/treewc/read.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "gort/runtime.h"

namespace treewc {
namespace {

// A file on its way from open to close. Its functions block, and use nothing of gort.
class File {
 public:
  explicit File(FileResult* result) : result_(result) {}

  void Open(const FilePlace& place) {
    // A FIFO may have taken the file's place, and must not block us; a terminal must not become
    // ours.
    constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    fd_ = openat(place.dir_fd(), place.name.c_str(), kFlags);
    if (fd_ < 0) {
      Fail("open", errno);
      return;
    }
    struct stat st;
    if (fstat(fd_, &st) != 0) {
      Fail("look at", errno);
    } else if (!S_ISREG(st.st_mode)) {
      Fail("read", 0);
    }
  }

  // Fills the buffer, unless the file ends before, and returns how many bytes are in it. Closes the
  // file at its end, and when reading fails.
  size_t Read(std::vector<char>* buffer) {
    size_t have = 0;
    while (fd_ >= 0 && have < buffer->size()) {
      ssize_t n = read(fd_, buffer->data() + have, buffer->size() - have);
      if (n > 0) {
        have += static_cast<size_t>(n);
      } else if (n == 0) {
        Close();
      } else if (errno != EINTR) {
        Fail("read", errno);
      }
    }
    return have;
  }

  bool is_open() const { return fd_ >= 0; }

 private:
  void Fail(const char* what, int error) {
    result_->what = what;
    result_->error = error;
    if (fd_ >= 0) Close();
  }
  void Close() {
    close(fd_);
    fd_ = -1;
  }

  FileResult* const result_;
  int fd_ = -1;
};

}  // namespace

FileResult CountFile(const FilePlace& place, TextMode mode, std::vector<char>* buffer,
                     std::atomic<uint64_t>* bytes) {
  FileResult result;
  Counter counter(mode);
  File file(&result);
  size_t n = gort::Blocking([&] {
    file.Open(place);
    return file.Read(buffer);
  });
  for (;;) {
    counter.Add(buffer->data(), n);
    bytes->fetch_add(n, std::memory_order_relaxed);  // for the progress line alone
    if (!file.is_open()) break;
    n = gort::Blocking([&] { return file.Read(buffer); });
  }
  result.counts = counter.counts();
  return result;
}

}  // namespace treewc
