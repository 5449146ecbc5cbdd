// fork(2) in a program that links //malloc:override and a shared library with fork handlers.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "gort/base/attributes.h"
#include "gort/malloc/testing/fork_library.h"

namespace gort::testing {
namespace {

// malloc's locks are the last that are taken before a fork. Were they taken before the library's,
// its handler would wait for the library's lock, and who holds that would wait for malloc's.
TEST(OverrideFork, TheHandlersOfASharedLibraryMayLockAndAllocate) {
  if (GORT_ASAN || GORT_TSAN) GTEST_SKIP() << "the sanitizers' allocators do not survive this fork";
  alarm(20);  // ends the test, should fork not return
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&stop] {
      while (!stop.load(std::memory_order_relaxed)) ForkLibraryWork();
    });
  }
  constexpr int kForks = 100;
  for (int i = 0; i < kForks; ++i) {
    pid_t pid = fork();
    if (pid == 0) {
      alarm(60);
      ForkLibraryWork();
      _exit(17);
    }
    ASSERT_GT(pid, 0);
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFEXITED(status));
    ASSERT_EQ(WEXITSTATUS(status), 17);
  }
  stop.store(true, std::memory_order_relaxed);
  for (auto& t : threads) t.join();
  EXPECT_EQ(ForkLibraryPrepared(), kForks);
  alarm(0);
}

}  // namespace
}  // namespace gort::testing
