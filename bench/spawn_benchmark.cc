// Starting something that runs at the same time. One iteration starts kBatch empty bodies and waits
// for all of them; items are bodies.
#include <thread>
#include <vector>

#include "benchmark/benchmark.h"
#include "gort/bench/baseline.h"
#include "gort/bench/benchmark_util.h"
#include "gort/chan/chan.h"
#include "gort/runtime.h"
#include "gort/sync/future.h"
#include "gort/sync/task_group.h"
#include "gort/sync/wait_group.h"

namespace gort::bench {
namespace {

constexpr int kBatch = 1000;

void BM_CreateGoroutines(benchmark::State& state) {
  InGort(static_cast<int>(state.range(0)), [&] {
    WaitGroup wg;
    for (auto _ : state) {
      wg.Add(kBatch);
      for (int i = 0; i < kBatch; ++i) Go([&wg] { wg.Done(); });
      wg.Wait();
    }
  });
  state.SetItemsProcessed(state.iterations() * kBatch);
}
BENCHMARK(BM_CreateGoroutines)->Apply(Procs);

// A goroutine that ends before the next one starts: the shortest way through a scheduler.
void BM_CreateGoroutinesSingle(benchmark::State& state) {
  InGort(static_cast<int>(state.range(0)), [&] {
    WaitGroup wg;
    for (auto _ : state) {
      wg.Add(1);
      Go([&wg] { wg.Done(); });
      wg.Wait();
    }
  });
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_CreateGoroutinesSingle)->Apply(Procs);

// The same with a result, which comes by a Future, or by a channel made for it.
void BM_SpawnAndGet(benchmark::State& state) {
  InGort(static_cast<int>(state.range(0)), [&] {
    for (auto _ : state) benchmark::DoNotOptimize(Spawn([] { return 1; }).Get());
  });
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_SpawnAndGet)->Apply(Procs);

void BM_GoAndOneChannel(benchmark::State& state) {
  InGort(static_cast<int>(state.range(0)), [&] {
    for (auto _ : state) {
      const Chan<int> c = MakeChan<int>(1);
      Go([c] { c.Send(1); });
      benchmark::DoNotOptimize(c.Recv());
    }
  });
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_GoAndOneChannel)->Apply(Procs);

void BM_TaskGroupSingle(benchmark::State& state) {
  InGort(static_cast<int>(state.range(0)), [&] {
    TaskGroup group;
    for (auto _ : state) {
      group.Go([] {});
      group.Wait().IgnoreError();
    }
  });
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_TaskGroupSingle)->Apply(Procs);

void BM_ThreadPoolSubmit(benchmark::State& state) {
  ThreadPool pool(static_cast<int>(state.range(0)));
  Latch latch;
  for (auto _ : state) {
    latch.Add(kBatch);
    for (int i = 0; i < kBatch; ++i) pool.Submit([&latch] { latch.Done(); });
    latch.Wait();
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}
BENCHMARK(BM_ThreadPoolSubmit)->Apply(Procs);

void BM_CreateThread(benchmark::State& state) {
  for (auto _ : state) std::thread([] {}).join();
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_CreateThread)->UseRealTime()->MeasureProcessCPUTime();

}  // namespace
}  // namespace gort::bench
