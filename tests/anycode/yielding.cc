// tests/anycode/yielding.cc: waiting by sched_yield, or by nothing at all.
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"

namespace anycode {
namespace {

class YieldLock {
 public:
  void lock() {
    while (taken_.test_and_set(std::memory_order_acquire)) sched_yield();
  }
  void unlock() { taken_.clear(std::memory_order_release); }

 private:
  std::atomic_flag taken_;
};

// First come, first served: each waits for the turn of one other.
class TicketLock {
 public:
  void lock() {
    const uint64_t mine = next_.fetch_add(1, std::memory_order_relaxed);
    while (now_.load(std::memory_order_acquire) != mine) std::this_thread::yield();
  }
  void unlock() { now_.fetch_add(1, std::memory_order_release); }

 private:
  std::atomic<uint64_t> next_{0}, now_{0};
};

class PthreadSpinLock {
 public:
  PthreadSpinLock() { pthread_spin_init(&spin_, PTHREAD_PROCESS_PRIVATE); }
  ~PthreadSpinLock() { pthread_spin_destroy(&spin_); }
  void lock() { pthread_spin_lock(&spin_); }
  void unlock() { pthread_spin_unlock(&spin_); }

 private:
  pthread_spinlock_t spin_;
};

template <class Lock, int kHeld>
Task Spin(int) {
  struct Shared {
    Lock lock;
    Guarded guarded;
  };
  auto s = std::make_shared<Shared>();
  return {[s](Worker& w) {
            while (w.Next()) {
              std::lock_guard lock(s->lock);
              s->guarded.Visit(kHeld);
            }
          },
          [s](int64_t ops) { ExpectEq(ops, s->guarded.entered(), "visits"); }};
}

// A number that two add to in turn, waiting for each other by sched_yield.
Task YieldPingPong(int workers) {
  auto numbers = std::make_shared<std::vector<std::atomic<int64_t>>>(static_cast<size_t>(workers));
  return {[numbers](Worker& w) {
    if ((w.index() | 1) >= w.workers()) {
      w.Next();
      return;
    }
    constexpr int64_t kEnd = -1;
    std::atomic<int64_t>& number = (*numbers)[static_cast<size_t>(w.index() | 1)];
    if (w.leads()) {
      for (int64_t v = 1; w.Next(); v += 2) {
        number.store(v);
        while (number.load() == v) sched_yield();
        ExpectEq(v + 1, number.load(), "the answer");
      }
      number.store(kEnd);
      return;
    }
    for (;;) {
      const int64_t v = number.load();
      if (v == kEnd) break;
      if (v % 2 == 0) {
        sched_yield();
        continue;
      }
      number.store(v + 1);
    }
    w.Next();
  }};
}

}  // namespace

Family Yielding() {
  return {"yielding",
          {{"yield_lock", Spin<YieldLock, 20>},
           {"ticket_lock", Spin<TicketLock, 20>},
           {"yield_pingpong", YieldPingPong},
           {"pthread_spin", Spin<PthreadSpinLock, 2>}}};
}

}  // namespace anycode
