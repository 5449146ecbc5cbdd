// Boost.Fiber on one thread, beside gort's rows of the same run.
#include <boost/fiber/all.hpp>
#include <cstdint>

#include "benchmark/benchmark.h"

namespace gort::bench {
namespace {

namespace fibers = boost::fibers;

void BM_BoostFiberYield(benchmark::State& state) {
  bool done = false;
  fibers::fiber other([&done] {
    while (!done) boost::this_fiber::yield();
  });
  for (auto _ : state) boost::this_fiber::yield();
  done = true;
  other.join();
}
BENCHMARK(BM_BoostFiberYield)->UseRealTime();

void BM_BoostFiberCreate(benchmark::State& state) {
  for (auto _ : state) fibers::fiber([] {}).join();
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_BoostFiberCreate)->UseRealTime();

void BM_BoostFiberUnbufferedPingPong(benchmark::State& state) {
  fibers::unbuffered_channel<int64_t> ping;
  fibers::unbuffered_channel<int64_t> pong;
  fibers::fiber other([&] {
    for (int64_t v : ping) pong.push(v);
  });
  for (auto _ : state) {
    ping.push(1);
    benchmark::DoNotOptimize(pong.value_pop());
  }
  ping.close();
  other.join();
}
BENCHMARK(BM_BoostFiberUnbufferedPingPong)->UseRealTime();

void BM_BoostFiberProdCons(benchmark::State& state) {
  fibers::buffered_channel<int64_t> c(static_cast<size_t>(state.range(0)));
  fibers::fiber consumer([&c] {
    int64_t sum = 0;
    for (int64_t v : c) sum += v;
    benchmark::DoNotOptimize(sum);
  });
  for (auto _ : state) c.push(1);
  c.close();
  consumer.join();
}
BENCHMARK(BM_BoostFiberProdCons)->ArgName("capacity")->Arg(16)->Arg(128)->UseRealTime();

}  // namespace
}  // namespace gort::bench
