// Goroutines start processes, by fork and exec and by posix_spawn, while others compute, are
// pre-empted and move between threads (docs/HACKING.md says what a child may do).
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <string>

#include "gort/base/attributes.h"
#include "gort/runtime.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/support/goroutines.h"

extern char** environ;

// Not in namespace gort, whose code is never pre-empted.
namespace {

using gort::Blocking;
using gort::GOMAXPROCS;
using gort::Gosched;
using gort::WaitGroup;

constexpr int kStarters = 4;
constexpr int kEach = GORT_TEST_SANITIZED ? 3 : 10;

// Runs start() in several goroutines beside others that compute; each start returns a child that
// ends with status 7.
void StartBesideLoops(pid_t (*start)()) {
  gort::testing::InGort([start] {
    const int before = GOMAXPROCS(4);
    std::atomic<bool> stop{false};
    WaitGroup loops, starters;
    for (int i = 0; i < 2; ++i) {
      loops.Go([&] {
        while (!stop.load(std::memory_order_relaxed)) Gosched();
      });
      if (GORT_TSAN) continue;  // no pre-emption there: they would keep their Ps for ever
      loops.Go([&] {
        for (uint64_t x = 0; !stop.load(std::memory_order_relaxed); ++x) {
          asm volatile("" : : "r"(x));
        }
      });
    }
    for (int i = 0; i < kStarters; ++i) {
      starters.Go([start] {
        for (int k = 0; k < kEach; ++k) {
          const pid_t pid = start();
          ASSERT_GT(pid, 0) << errno;
          int status = 0;
          const pid_t ended = Blocking([&] {
            pid_t p;
            do {
              p = waitpid(pid, &status, 0);
            } while (p < 0 && errno == EINTR);
            return p;
          });
          ASSERT_EQ(ended, pid);
          ASSERT_TRUE(WIFEXITED(status)) << status;
          ASSERT_EQ(WEXITSTATUS(status), 7);
          Gosched();
        }
      });
    }
    starters.Wait();
    stop.store(true);
    loops.Wait();
    GOMAXPROCS(before);
  });
}

char shell[] = "/bin/sh";
char option[] = "-c";
char command[] = "exit 7";
char* const kShell[] = {shell, option, command, nullptr};

TEST(Fork, AGoroutineForksAndTheChildExecutesAProgram) {
  StartBesideLoops([] {
    const pid_t pid = fork();
    if (pid == 0) {
      execve(shell, kShell, environ);
      _exit(127);
    }
    return pid;
  });
}

TEST(Fork, AChildThatCallsNothingOfGortMayEndByItself) {
  StartBesideLoops([] {
    const pid_t pid = fork();
    if (pid == 0) {
      // The child runs on the goroutine's own stack for longer than a time slice, and nothing
      // pre-empts it.
      for (int i = 0; i < 10'000'000; ++i) asm volatile("" : : "r"(i));
      _exit(7);
    }
    return pid;
  });
}

TEST(Fork, AGoroutineSpawnsAProgram) {
  StartBesideLoops([] {
    pid_t pid = -1;
    const int error = posix_spawn(&pid, shell, nullptr, nullptr, kShell, environ);
    return error == 0 ? pid : -1;
  });
}

// The signals that gort handles are not blocked in what a goroutine starts.
TEST(Fork, AProgramStartsWithTheSignalMaskOfTheProcess) {
  gort::testing::InGort([] {
    int fds[2];
    ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
    const pid_t pid = fork();
    if (pid == 0) {
      dup2(fds[1], 1);
      char grep[] = "exec grep '^SigBlk:' /proc/self/status";
      char* const args[] = {shell, option, grep, nullptr};
      execve(shell, args, environ);
      _exit(127);
    }
    ASSERT_GT(pid, 0);
    close(fds[1]);
    char text[256] = {};
    size_t n = 0;
    for (ssize_t got;
         n + 1 < sizeof text && (got = read(fds[0], text + n, sizeof text - 1 - n)) > 0;)
      n += static_cast<size_t>(got);
    close(fds[0]);
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
    EXPECT_NE(std::string(text).find("SigBlk:\t0000000000000000\n"), std::string::npos) << text;
  });
}

}  // namespace
