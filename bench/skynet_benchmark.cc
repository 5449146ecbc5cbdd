// Skynet: a tree of goroutines, ten children for each node, whose leaves' numbers are summed up.
// The baseline builds the same tree of tasks on a thread pool; a task cannot wait, so the last
// child of a node goes on with the node's work.
#include <atomic>
#include <cstdint>

#include "benchmark/benchmark.h"
#include "gort/bench/baseline.h"
#include "gort/bench/benchmark_util.h"
#include "gort/chan/chan.h"
#include "gort/runtime.h"

namespace gort::bench {
namespace {

constexpr int64_t kLeaves = 100'000;

void Node(const Chan<int64_t>& up, int64_t first, int64_t size) {
  if (size == 1) {
    up.Send(first);
    return;
  }
  const Chan<int64_t> c = MakeChan<int64_t>();
  for (int64_t i = 0; i < 10; ++i) Go(Node, c, first + i * (size / 10), size / 10);
  int64_t sum = 0;
  for (int i = 0; i < 10; ++i) sum += *c.Recv();
  up.Send(sum);
}

void CheckSum(benchmark::State& state, int64_t sum) {
  if (sum != kLeaves * (kLeaves - 1) / 2) state.SkipWithError("wrong sum");
}

void BM_Skynet(benchmark::State& state) {
  InGort(static_cast<int>(state.range(0)), [&] {
    for (auto _ : state) {
      const Chan<int64_t> c = MakeChan<int64_t>();
      Go(Node, c, int64_t{0}, kLeaves);
      CheckSum(state, *c.Recv());
    }
  });
}
BENCHMARK(BM_Skynet)->Apply(Procs)->Unit(benchmark::kMillisecond);

struct Task {
  Task* up;
  std::atomic<int64_t> sum{0};
  std::atomic<int> left{10};
};

// Adds a number to t. The tenth one passes t's sum on to the node above; above the root is a latch.
void Deliver(Task* t, int64_t v, Latch* done) {
  while (true) {
    t->sum.fetch_add(v, std::memory_order_relaxed);  // read by the last one alone, see below
    // acq_rel pairs with itself: the last of the ten sees what the others added.
    if (t->up != nullptr && t->left.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    if (t->up == nullptr) return done->Done();
    v = t->sum.load(std::memory_order_relaxed);
    Task* up = t->up;
    delete t;
    t = up;
  }
}

void SubmitNode(ThreadPool* pool, Latch* done, Task* up, int64_t first, int64_t size) {
  pool->Submit([=] {
    if (size == 1) return Deliver(up, first, done);
    Task* t = new Task{up};
    for (int64_t i = 0; i < 10; ++i) SubmitNode(pool, done, t, first + i * (size / 10), size / 10);
  });
}

void BM_ThreadPoolSkynet(benchmark::State& state) {
  ThreadPool pool(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    Task root{nullptr};
    Latch done;
    done.Add(1);
    SubmitNode(&pool, &done, &root, 0, kLeaves);
    done.Wait();
    CheckSum(state, root.sum.load(std::memory_order_relaxed));  // after Wait
  }
}
BENCHMARK(BM_ThreadPoolSkynet)->Apply(Procs)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace gort::bench
