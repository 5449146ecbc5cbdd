// What something that waits costs in memory: goroutines and threads parked at once. One iteration
// creates all of them, looks at the resident size, and lets them end. Only the first iteration of a
// process sees fresh memory, so each row runs once; the counter `bytes` is what counts.
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "benchmark/benchmark.h"
#include "gort/bench/baseline.h"
#include "gort/bench/benchmark_util.h"
#include "gort/chan/chan.h"
#include "gort/runtime.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/support/process.h"

namespace gort::bench {
namespace {

void Report(benchmark::State& state, int64_t before, int64_t n) {
  const auto grown = static_cast<double>(testing::ResidentBytes() - before);
  state.counters["bytes"] = grown / static_cast<double>(n);
}

void BM_ParkedGoroutines(benchmark::State& state) {
  const int64_t n = state.range(0);
  InGort(NumCPU(), [&] {
    for (auto _ : state) {
      const Chan<Unit> gate = MakeChan<Unit>();
      WaitGroup up;
      WaitGroup down;
      up.Add(n);
      down.Add(n);
      const int64_t before = testing::ResidentBytes();
      for (int64_t i = 0; i < n; ++i) {
        Go([&gate, &up, &down] {
          up.Done();
          gate.Recv();
          down.Done();
        });
      }
      up.Wait();
      Report(state, before, n);
      gate.Close();
      down.Wait();
    }
  });
  state.SetItemsProcessed(state.iterations() * n);
}
BENCHMARK(BM_ParkedGoroutines)
    ->ArgName("n")
    ->Arg(100'000)
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void BM_ParkedThreads(benchmark::State& state) {
  const int64_t n = state.range(0);
  for (auto _ : state) {
    std::mutex mu;
    std::condition_variable gate;
    bool open = false;
    Latch up;
    up.Add(static_cast<int>(n));
    std::vector<std::thread> threads;
    threads.reserve(static_cast<size_t>(n));
    const int64_t before = testing::ResidentBytes();
    for (int64_t i = 0; i < n; ++i) {
      threads.emplace_back([&] {
        up.Done();
        std::unique_lock l(mu);
        gate.wait(l, [&] { return open; });
      });
    }
    up.Wait();
    Report(state, before, n);
    {
      std::lock_guard l(mu);
      open = true;
    }
    gate.notify_all();
    for (std::thread& t : threads) t.join();
  }
  state.SetItemsProcessed(state.iterations() * n);
}
BENCHMARK(BM_ParkedThreads)
    ->ArgName("n")
    ->Arg(1000)
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace gort::bench
