#include "gort/platforms/futex.h"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <thread>
#include <vector>

#include "gort/platforms/clock.h"
#include "gort/tests/support/child.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

constexpr int64_t kMillisecond = 1'000'000;

TEST(Futex, SleepReturnsAtOnceWhenTheWordDiffers) {
  std::atomic<uint32_t> word{1};
  FutexSleep(&word, 0, -1);
  FutexSleep(&word, 2, -1);
}

TEST(Futex, SleepEndsAtItsTimeout) {
  std::atomic<uint32_t> word{0};
  int64_t start = Nanotime();
  int64_t deadline = start + 3 * kMillisecond;
  while (Nanotime() < deadline) FutexSleep(&word, 0, deadline - Nanotime());
  EXPECT_GE(Nanotime() - start, 3 * kMillisecond);
  FutexSleep(&word, 0, 0);
}

TEST(Futex, WakeEndsASleepWithoutLimit) {
  std::atomic<uint32_t> word{0};
  std::thread sleeper([&] {
    while (word.load(std::memory_order_acquire) == 0) FutexSleep(&word, 0, -1);
  });
  word.store(1, std::memory_order_release);
  FutexWake(&word, 1);
  sleeper.join();
}

TEST(Futex, NoWakeUpIsLostOverManyHandOvers) {
  constexpr uint32_t kRounds = 20000;
  std::atomic<uint32_t> turn{0};
  auto play = [&](uint32_t me) {
    for (uint32_t i = me; i < kRounds; i += 2) {
      uint32_t now;
      while ((now = turn.load(std::memory_order_acquire)) != i) FutexSleep(&turn, now, -1);
      turn.store(i + 1, std::memory_order_release);
      FutexWake(&turn, 1);
    }
  };
  std::thread even(play, 0), odd(play, 1);
  even.join();
  odd.join();
  EXPECT_EQ(turn.load(), kRounds);
}

TEST(Futex, WakeOfManyReachesAllSleepers) {
  std::atomic<uint32_t> word{0};
  std::vector<std::thread> sleepers;
  for (int i = 0; i < 4; ++i) {
    sleepers.emplace_back([&] {
      while (word.load(std::memory_order_acquire) == 0) FutexSleep(&word, 0, -1);
    });
  }
  word.store(1, std::memory_order_release);
  FutexWake(&word, INT32_MAX);
  for (std::thread& t : sleepers) t.join();
}

TEST(Futex, LeavesErrnoAlone) {
  std::atomic<uint32_t> word{1};
  errno = 1234;
  FutexSleep(&word, 0, -1);
  FutexSleep(&word, 1, 1);
  FutexWake(&word, 1);
  EXPECT_EQ(errno, 1234);
}

std::atomic<uint32_t>* NoMemory() {
  void* p = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(p, 4096);
  return static_cast<std::atomic<uint32_t>*>(p);
}

TEST(Futex, WakeOfFreedMemoryIsHarmless) { FutexWake(NoMemory(), 1); }

TEST(Futex, SleepOnFreedMemoryIsFatal) {
  testing::ChildResult r = testing::RunInChild([] { FutexSleep(NoMemory(), 0, -1); });
  EXPECT_EQ(r.status, 2);
  EXPECT_EQ(r.output, "fatal error: futex wait failed\n");
}

}  // namespace
}  // namespace gort::rt
