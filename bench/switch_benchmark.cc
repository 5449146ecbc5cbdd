// From one goroutine to another: waking and parking, and yielding. One iteration is a whole round
// trip, two switches; so it is for the baselines.
#include <sched.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "benchmark/benchmark.h"
#include "gort/bench/benchmark_util.h"
#include "gort/proc/proc.h"
#include "gort/runtime.h"

namespace gort::bench {
namespace {

// Two goroutines, of which one runs at a time. The one that has the turn wakes the other and parks
// in one step, as channels and locks do.
class Turns {
 public:
  // Gives the turn to the other goroutine and waits for it to come back.
  void Pass() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mu_.Lock();
    rt::G* next = waiting_;
    waiting_ = rt::CurrentG();
    if (next != nullptr) rt::GoReady(next);
    rt::GoParkUnlock(&mu_, rt::WaitReason::kChanReceive);
  }
  // Wakes the other goroutine without waiting.
  void Leave() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mu_.Lock();
    rt::G* next = waiting_;
    waiting_ = nullptr;
    if (next != nullptr) rt::GoReady(next);
    mu_.Unlock();
  }
  bool SomebodyWaits() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mu_.Lock();
    const bool waits = waiting_ != nullptr;
    mu_.Unlock();
    return waits;
  }

 private:
  rt::Mutex mu_{rt::LockRank::kRoot};
  rt::G* waiting_ = nullptr;
};

void BM_ParkReady(benchmark::State& state) {
  InGort(static_cast<int>(state.range(0)), [&] {
    Turns turns;
    std::atomic<bool> done{false};
    std::atomic<bool> ended{false};
    Go([&] {
      while (!done.load(std::memory_order_relaxed)) turns.Pass();  // ordered by the lock of turns
      ended.store(true, std::memory_order_release);                // pairs with: the load below
    });
    while (!turns.SomebodyWaits()) Gosched();
    for (auto _ : state) turns.Pass();
    done.store(true, std::memory_order_relaxed);
    turns.Leave();
    while (!ended.load(std::memory_order_acquire)) Gosched();  // pairs with: the goroutine's end
  });
}
BENCHMARK(BM_ParkReady)->Apply(Procs);

// The same with two threads and a condition variable.
void BM_ThreadHandoff(benchmark::State& state) {
  std::mutex mu;
  std::condition_variable changed;
  int turn = 0;  // 0: this thread; 1: the other; 2: the end
  std::thread other([&] {
    std::unique_lock l(mu);
    while (true) {
      changed.wait(l, [&] { return turn != 0; });
      if (turn == 2) return;
      turn = 0;
      changed.notify_one();
    }
  });
  for (auto _ : state) {
    std::unique_lock l(mu);
    turn = 1;
    changed.notify_one();
    changed.wait(l, [&] { return turn == 0; });
  }
  {
    std::lock_guard l(mu);
    turn = 2;
  }
  changed.notify_one();
  other.join();
}
BENCHMARK(BM_ThreadHandoff)->UseRealTime()->MeasureProcessCPUTime();

void BM_Yield(benchmark::State& state) {
  InGort(static_cast<int>(state.range(0)), [&] {
    std::atomic<bool> done{false};
    std::atomic<bool> ended{false};
    Go([&] {
      while (!done.load(std::memory_order_relaxed)) Gosched();  // a flag, nothing behind it
      ended.store(true, std::memory_order_release);             // pairs with: the load below
    });
    for (auto _ : state) Gosched();
    done.store(true, std::memory_order_relaxed);
    while (!ended.load(std::memory_order_acquire)) Gosched();  // pairs with: the goroutine's end
  });
}
BENCHMARK(BM_Yield)->ArgName("procs")->Arg(1)->UseRealTime()->MeasureProcessCPUTime();

// Keeps the calling thread on the first CPU that it may use; returns what it could use before.
cpu_set_t PinToOneCpu() {
  cpu_set_t before;
  CPU_ZERO(&before);
  sched_getaffinity(0, sizeof(before), &before);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &before)) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof(one), &one);
    break;
  }
  return before;
}

// Two threads on one CPU.
void BM_ThreadYield(benchmark::State& state) {
  std::atomic<bool> done{false};
  std::thread other([&] {
    PinToOneCpu();
    while (!done.load(std::memory_order_relaxed)) sched_yield();  // a flag, nothing behind it
  });
  const cpu_set_t before = PinToOneCpu();
  for (auto _ : state) sched_yield();
  done.store(true, std::memory_order_relaxed);
  other.join();
  sched_setaffinity(0, sizeof(before), &before);
}
BENCHMARK(BM_ThreadYield)->UseRealTime()->MeasureProcessCPUTime();

}  // namespace
}  // namespace gort::bench
