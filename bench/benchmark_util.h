// bench/benchmark_util.h: runs the body of a benchmark as gort's main goroutine.
#ifndef GORT_BENCH_BENCHMARK_UTIL_H_
#define GORT_BENCH_BENCHMARK_UTIL_H_

#include <unistd.h>

#include <cstdint>
#include <cstdio>

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

// Rows are told apart by GOMAXPROCS or the number of threads, and timed by the wall clock: the work
// is not where the timing is.
inline void Procs(benchmark::internal::Benchmark* b) {
  b->ArgName("procs")->Arg(1)->Arg(2)->UseRealTime()->MeasureProcessCPUTime();
}

// Bytes of memory that this process occupies.
inline int64_t ResidentBytes() {
  long long total = 0;
  long long resident = 0;
  if (FILE* f = fopen("/proc/self/statm", "re")) {
    if (fscanf(f, "%lld %lld", &total, &resident) != 2) resident = 0;  // NOLINT(cert-err34-c)
    fclose(f);
  }
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace gort::bench

#endif  // GORT_BENCH_BENCHMARK_UTIL_H_
