// What a stack costs: taken again from a P's cache, from the shared list, and in a burst of fresh
// ones, which is what starting many goroutines at once needs. The baseline is mmap + mprotect.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <ctime>
#include <vector>

#include "gort/platforms/mem.h"
#include "gort/stack/internal/stack_alloc.h"
#include "gort/stack/internal/stack_layout.h"

namespace gort::rt {
namespace {

void BM_AllocFreeCached(benchmark::State& state) {
  static StackCache* cache = AllocStackCache();
  for (auto _ : state) {
    StackBounds b = StackAlloc(kDefaultStack, cache);
    benchmark::DoNotOptimize(b);
    StackFree(b, cache);
  }
  StackCacheFlush(cache);
}
BENCHMARK(BM_AllocFreeCached);

void BM_AllocFreeShared(benchmark::State& state) {
  for (auto _ : state) {
    StackBounds b = StackAlloc(kDefaultStack, nullptr);
    benchmark::DoNotOptimize(b);
    StackFree(b, nullptr);
  }
}
BENCHMARK(BM_AllocFreeShared);

void BM_AllocFreeSmall(benchmark::State& state) {
  static StackCache* cache = AllocStackCache();
  for (auto _ : state) {
    StackBounds b = StackAlloc(4096, cache);
    benchmark::DoNotOptimize(b);
    StackFree(b, cache);
  }
  StackCacheFlush(cache);
}
BENCHMARK(BM_AllocFreeSmall);

void BM_Baseline_MmapMprotect(benchmark::State& state) {
  for (auto _ : state) {
    void* p = MemMap(kDefaultStack, 4096);
    benchmark::DoNotOptimize(MemProtectNone(p, 4096));
    MemUnmap(p, kDefaultStack);
  }
}
BENCHMARK(BM_Baseline_MmapMprotect);

// range(0): stacks. range(1): 1: touch the top of each, as a goroutine does. Reported per phase,
// CPU nanoseconds a stack: fresh, again (memory still there), free, scavenge.
void BM_Burst(benchmark::State& state) {
  size_t n = static_cast<size_t>(state.range(0));
  std::vector<StackBounds> all(n);
  double fresh = 0, again = 0, give = 0, scavenge = 0;
  auto take = [&] {
    for (StackBounds& b : all) {
      b = StackAlloc(kDefaultStack, nullptr);
      if (state.range(1) != 0) *reinterpret_cast<volatile uintptr_t*>(b.hi - 8) = 1;
    }
  };
  auto time = [&](double* sum, auto&& f) {
    clock_t t0 = clock();
    f();
    *sum += static_cast<double>(clock() - t0) * 1e9 / CLOCKS_PER_SEC / static_cast<double>(n);
  };
  for (auto _ : state) {
    StackScavenge(INT64_MAX, 0);
    time(&fresh, take);
    for (const StackBounds& b : all) StackFree(b, nullptr);
    time(&again, take);
    time(&give, [&] {
      for (const StackBounds& b : all) StackFree(b, nullptr);
    });
    time(&scavenge, [] { StackScavenge(INT64_MAX, 0); });
  }
  using benchmark::Counter;
  state.counters["fresh"] = Counter(fresh, Counter::kAvgIterations);
  state.counters["again"] = Counter(again, Counter::kAvgIterations);
  state.counters["free"] = Counter(give, Counter::kAvgIterations);
  state.counters["scavenge"] = Counter(scavenge, Counter::kAvgIterations);
}
BENCHMARK(BM_Burst)
    ->Args({10'000, 1})
    ->Args({1'000'000, 0})
    ->Args({1'000'000, 1})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace gort::rt
