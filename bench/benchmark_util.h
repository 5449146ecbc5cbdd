// bench/benchmark_util.h: runs the body of a benchmark as gort's main goroutine.
#ifndef GORT_BENCH_BENCHMARK_UTIL_H_
#define GORT_BENCH_BENCHMARK_UTIL_H_

#include "benchmark/benchmark.h"
#include "gort/runtime.h"

namespace gort::bench {

// Calls f as a goroutine with GOMAXPROCS = procs, and waits for it.
template <class F>
void InGort(int procs, F&& f) {
  Run([&] {
    const int before = GOMAXPROCS(procs);
    f();
    GOMAXPROCS(before);
    return 0;
  });
}

// Adds a row for GOMAXPROCS (or threads) of 1 and of 2, timed by the wall clock: the work is done
// on other threads than the one that times it.
inline void Procs(benchmark::internal::Benchmark* b) {
  b->ArgName("procs")->Arg(1)->Arg(2)->UseRealTime()->MeasureProcessCPUTime();
}

}  // namespace gort::bench

#endif  // GORT_BENCH_BENCHMARK_UTIL_H_
