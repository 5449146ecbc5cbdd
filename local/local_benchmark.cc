// What an access to a Local costs, beside a thread_local and a map in the goroutine's frame.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "gort/local/local.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

Local<int> local;
Local<std::vector<int>> others[64];
thread_local int per_thread;
thread_local std::string per_thread_text;

template <class F>
void InGoroutine(benchmark::State& state, F f) {
  testing::InGort([&] {
    for (auto _ : state) f();
  });
}

void BM_Local(benchmark::State& state) {
  InGoroutine(state, [] { benchmark::DoNotOptimize(++*local); });
}
BENCHMARK(BM_Local)->MeasureProcessCPUTime();

void BM_LocalAmongMany(benchmark::State& state) {
  testing::InGort([&] {
    for (const auto& other : others) other->push_back(1);
    for (auto _ : state) benchmark::DoNotOptimize(others[40]->size());
  });
}
BENCHMARK(BM_LocalAmongMany)->MeasureProcessCPUTime();

void BM_ThreadLocal(benchmark::State& state) {
  InGoroutine(state, [] { benchmark::DoNotOptimize(++per_thread); });
}
BENCHMARK(BM_ThreadLocal)->MeasureProcessCPUTime();

// With a constructor, so that each access asks whether it has run.
void BM_ThreadLocalObject(benchmark::State& state) {
  InGoroutine(state, [] { benchmark::DoNotOptimize(per_thread_text.size()); });
}
BENCHMARK(BM_ThreadLocalObject)->MeasureProcessCPUTime();

// A goroutine from its start to its end, without and with a value.
template <bool kUses>
void BM_Goroutine(benchmark::State& state) {
  InGoroutine(state, [] {
    Go([] {
      if constexpr (kUses) ++*local;
    });
    testing::Yield();
  });
}
BENCHMARK(BM_Goroutine<false>)->MeasureProcessCPUTime();
BENCHMARK(BM_Goroutine<true>)->MeasureProcessCPUTime();

}  // namespace
}  // namespace gort
