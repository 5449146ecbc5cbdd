// Waiting for descriptors of other libraries: pipes, ttys and files; goroutines and threads;
// deadlines in both clocks.
#include "gort/netpoll/wait_fd.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gort/base/attributes.h"
#include "gort/gmp/sched.h"
#include "gort/netpoll/testing/pipe.h"
#include "gort/platforms/clock.h"
#include "gort/proc/go.h"
#include "gort/tests/support/goroutines.h"
#include "gort/tests/support/process.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

using testing::Eventually;
using testing::InGort;
using testing::Pipe;
using testing::Probe;

const int kRounds = gort::testing::Slow() ? 500 : 10'000;

bool SomebodyWaits() {
  return Eventually([] { return sched.netpoll_waiters.load() != 0; });
}

TEST(WaitFd, FollowsAPipe) {
  InGort([] {
    Pipe pipe;
    EXPECT_TRUE(WaitWritable(pipe.fd[1]).ok());
    absl::Status got = absl::UnknownError("not yet");
    Probe reader([&] { got = WaitReadable(pipe.fd[0]); });
    EXPECT_TRUE(SomebodyWaits());
    pipe.Put();
    EXPECT_TRUE(reader.Finish());
    EXPECT_TRUE(got.ok()) << got;
    EXPECT_TRUE(WaitReadable(pipe.fd[0]).ok());  // ready already, and again
    pipe.Take();
    const absl::Time deadline = absl::Now() + absl::Milliseconds(2);
    got = WaitReadable(pipe.fd[0], deadline);
    EXPECT_EQ(got.code(), absl::StatusCode::kDeadlineExceeded) << got;
    EXPECT_GE(absl::Now(), deadline);
    EXPECT_EQ(WaitWritable(pipe.fd[1], absl::UnixEpoch()).code(),
              absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(WaitWritable(pipe.fd[1], std::chrono::system_clock::time_point()).code(),
              absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(WaitReadable(pipe.fd[0], std::chrono::system_clock::time_point()).code(),
              absl::StatusCode::kDeadlineExceeded);
    close(pipe.fd[1]);
    pipe.fd[1] = -1;
    EXPECT_TRUE(WaitReadable(pipe.fd[0]).ok());  // the end of the file
  });
}

TEST(WaitFd, ManyWaitForOne) {
  InGort([] {
    Pipe pipe;
    std::atomic<int> woken{0};
    for (int i = 0; i < 20; ++i) {
      gort::Go([&] {
        EXPECT_TRUE(WaitReadable(pipe.fd[0]).ok());
        ++woken;
      });
    }
    EXPECT_TRUE(Eventually([] { return sched.netpoll_waiters.load() == 20; }));
    pipe.Put();
    EXPECT_TRUE(Eventually([&] { return woken == 20; }));
  });
}

TEST(WaitFd, FollowsATty) {
  InGort([] {
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    ASSERT_GE(master, 0);
    ASSERT_EQ(grantpt(master), 0);
    ASSERT_EQ(unlockpt(master), 0);
    char name[64];
    ASSERT_EQ(ptsname_r(master, name, sizeof name), 0);
    const int tty = open(name, O_RDWR | O_NOCTTY);
    ASSERT_GE(tty, 0);
    EXPECT_TRUE(WaitWritable(tty).ok());
    Probe reader([&] { EXPECT_TRUE(WaitReadable(tty).ok()); });
    EXPECT_TRUE(SomebodyWaits());
    EXPECT_EQ(write(master, "line\n", 5), 5);
    EXPECT_TRUE(reader.Finish());
    close(tty);
    close(master);
  });
}

TEST(WaitFd, SaysWhatCannotBeWaitedFor) {
  InGort([] {
    const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ASSERT_GE(file, 0);
    absl::Status got = WaitReadable(file);
    EXPECT_EQ(got.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(got.message(), "descriptor " + std::to_string(file) +
                                 " is a regular file or a directory, which is always ready");
    close(file);
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    ASSERT_GE(null, 0);
    EXPECT_EQ(WaitReadable(null), absl::InvalidArgumentError("descriptor " + std::to_string(null) +
                                                             " cannot be waited for"));
    close(null);
    got = WaitWritable(123456);
    EXPECT_EQ(got.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(got.message(), "descriptor 123456 is not open");
    EXPECT_EQ(WaitReadable(-1).message(), "descriptor -1 is not open");
  });
}

// A thread waits while every M sleeps: one of them has to go to the poller.
TEST(WaitFd, ForeignThreads) {
  InGort([] {});  // starts the runtime
  Pipe there, back;
  std::thread echo([&] {
    for (int i = 0; i < kRounds; ++i) {
      ASSERT_TRUE(WaitReadable(there.fd[0]).ok());
      there.Take();
      back.Put();
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    there.Put();
    ASSERT_TRUE(WaitReadable(back.fd[0]).ok());
    back.Take();
  }
  echo.join();
  const absl::Time deadline = absl::Now() + absl::Milliseconds(5);
  EXPECT_EQ(WaitReadable(back.fd[0], deadline).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_GE(absl::Now(), deadline);
  EXPECT_EQ(sched.netpoll_waiters.load(), 0u);
}

TEST(WaitFd, ThreadsAndGoroutinesWakeEachOther) {
  Pipe there, back;
  std::thread thread;
  InGort([&] {
    thread = testing::AttachedThread([&] {
      for (int i = 0; i < kRounds; ++i) {
        ASSERT_TRUE(WaitReadable(there.fd[0]).ok());
        there.Take();
        back.Put();
      }
    });
    for (int i = 0; i < kRounds; ++i) {
      there.Put();
      ASSERT_TRUE(WaitReadable(back.fd[0]).ok());
      back.Take();
    }
  });
  thread.join();
}

TEST(WaitFd, NeedsADescriptorOfItsOwn) {
  InGort([] {
    Pipe pipe;
    rlimit limit;
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const int lowest = dup(pipe.fd[0]);
    close(lowest);
    const rlimit none{static_cast<rlim_t>(lowest), limit.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    const absl::Status s = WaitWritable(pipe.fd[1]);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT_EQ(s,
              absl::ResourceExhaustedError("waiting for descriptor " + std::to_string(pipe.fd[1]) +
                                           ": Too many open files"));
  });
}

// The file stays open for those who wait for it, under another number.
TEST(WaitFd, OutlivesTheCallersDescriptor) {
  InGort([] {
    Pipe pipe;
    absl::Status got = absl::UnknownError("not yet");
    Probe reader([&] { got = WaitReadable(pipe.fd[0]); });
    EXPECT_TRUE(SomebodyWaits());
    const int former = pipe.fd[0];
    close(former);
    pipe.fd[0] = -1;
    Pipe other;  // may well have the number now
    pipe.Put();
    EXPECT_TRUE(reader.Finish());
    EXPECT_TRUE(got.ok()) << got;
  });
}

TEST(PollDeadline, OnTheMonotonicClock) {
  EXPECT_EQ(PollDeadline(absl::InfiniteFuture()), 0);
  EXPECT_LT(PollDeadline(absl::InfinitePast()), 0);
  EXPECT_LT(PollDeadline(absl::UnixEpoch()), 0);
  const int64_t before = Nanotime();
  const int64_t hour = PollDeadline(absl::Now() + absl::Hours(1));
  EXPECT_GT(hour, before);
  EXPECT_LE(hour, Nanotime() + 3'600'000'000'000);

  EXPECT_LT(PollDeadlineIn(0), 0);
  EXPECT_LT(PollDeadlineIn(-1), 0);
  EXPECT_LT(PollDeadlineIn(INT64_MIN), 0);
  EXPECT_EQ(PollDeadlineIn(INT64_MAX), INT64_MAX);
  EXPECT_EQ(PollDeadlineIn(INT64_MAX - 1), INT64_MAX);
  EXPECT_GE(PollDeadlineIn(1), before + 1);
}

}  // namespace
}  // namespace gort::rt
