// Channels, beside a queue under a mutex between threads. Names as in Go's own benchmarks; one
// iteration is one element, or one round trip where the name says ping-pong.
#include <cstdint>
#include <thread>

#include "benchmark/benchmark.h"
#include "gort/bench/baseline.h"
#include "gort/bench/benchmark_util.h"
#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/runtime.h"

namespace gort::bench {
namespace {

void ProcsAndCapacity(benchmark::internal::Benchmark* b) {
  b->ArgNames({"procs", "capacity"})->UseRealTime()->MeasureProcessCPUTime();
  for (int procs : {1, 2}) {
    for (int capacity : {0, 10, 100}) b->Args({procs, capacity});
  }
}

// No second goroutine: what a send and a receive cost by themselves.
void BM_ChanUncontended(benchmark::State& state) {
  InGort(static_cast<int>(state.range(0)), [&] {
    const Chan<int64_t> c = MakeChan<int64_t>(100);
    for (auto _ : state) {
      c.Send(1);
      benchmark::DoNotOptimize(c.Recv());
    }
  });
}
BENCHMARK(BM_ChanUncontended)->ArgName("procs")->Arg(1)->UseRealTime();

void BM_ChanProdCons(benchmark::State& state) {
  InGort(static_cast<int>(state.range(0)), [&] {
    const Chan<int64_t> c = MakeChan<int64_t>(static_cast<size_t>(state.range(1)));
    const Chan<Unit> ended = MakeChan<Unit>();
    Go([c, ended] {
      int64_t sum = 0;
      for (int64_t v : c) sum += v;
      benchmark::DoNotOptimize(sum);
      ended.Close();
    });
    for (auto _ : state) c.Send(1);
    c.Close();
    ended.Recv();
  });
}
BENCHMARK(BM_ChanProdCons)->Apply(ProcsAndCapacity);

void BM_LockedQueueProdCons(benchmark::State& state) {
  LockedQueue<int64_t> q(static_cast<size_t>(state.range(0)));
  std::thread consumer([&q] {
    int64_t sum = 0;
    while (std::optional<int64_t> v = q.Pop()) sum += *v;
    benchmark::DoNotOptimize(sum);
  });
  for (auto _ : state) q.Push(1);
  q.Close();
  consumer.join();
}
BENCHMARK(BM_LockedQueueProdCons)
    ->ArgName("capacity")
    ->Arg(1)
    ->Arg(10)
    ->Arg(100)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

void BM_ChanPingPong(benchmark::State& state) {
  InGort(static_cast<int>(state.range(0)), [&] {
    const Chan<int64_t> ping = MakeChan<int64_t>();
    const Chan<int64_t> pong = MakeChan<int64_t>();
    Go([ping, pong] {
      for (int64_t v : ping) pong.Send(v);
      pong.Close();
    });
    for (auto _ : state) {
      ping.Send(1);
      benchmark::DoNotOptimize(pong.Recv());
    }
    ping.Close();
    pong.Recv();
  });
}
BENCHMARK(BM_ChanPingPong)->Apply(Procs);

void BM_LockedQueuePingPong(benchmark::State& state) {
  LockedQueue<int64_t> ping(1);
  LockedQueue<int64_t> pong(1);
  std::thread other([&] {
    while (std::optional<int64_t> v = ping.Pop()) pong.Push(*v);
  });
  for (auto _ : state) {
    ping.Push(1);
    benchmark::DoNotOptimize(pong.Pop());
  }
  ping.Close();
  other.join();
}
BENCHMARK(BM_LockedQueuePingPong)->UseRealTime()->MeasureProcessCPUTime();

// One of two channels is always ready.
void BM_SelectUncontended(benchmark::State& state) {
  InGort(static_cast<int>(state.range(0)), [&] {
    const Chan<int64_t> a = MakeChan<int64_t>(1);
    const Chan<int64_t> b = MakeChan<int64_t>(1);
    a.Send(0);
    for (auto _ : state) {
      Select(OnRecv(a, [&](std::optional<int64_t>) { b.Send(0); }),
             OnRecv(b, [&](std::optional<int64_t>) { a.Send(0); }));
    }
  });
}
BENCHMARK(BM_SelectUncontended)->ArgName("procs")->Arg(1)->UseRealTime();

}  // namespace
}  // namespace gort::bench
