// gort's malloc beside the C library's, in the same process and run. Names: Gort… and Libc….
// What the numbers are for: a regression guard on the fast paths and on hand-over between threads.
#include <cstdlib>
#include <vector>

#include "benchmark/benchmark.h"
#include "gort/base/rand.h"
#include "gort/malloc/malloc.h"

namespace {

struct Gort {
  static void* Alloc(size_t n) { return gort::malloc::Alloc(n); }
  static void Free(void* p) { gort::malloc::Free(p); }
};
struct Libc {
  static void* Alloc(size_t n) { return std::malloc(n); }
  static void Free(void* p) { std::free(p); }
};

// One block at a time: the fast path alone.
template <class A>
void Pair(benchmark::State& state) {
  const size_t n = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    void* p = A::Alloc(n);
    benchmark::DoNotOptimize(p);
    A::Free(p);
  }
}

// 1000 blocks, freed in the order of allocation: batches move between cache and central list.
template <class A>
void Burst(benchmark::State& state) {
  const size_t n = static_cast<size_t>(state.range(0));
  std::vector<void*> all(1000);
  for (auto _ : state) {
    for (void*& p : all) p = A::Alloc(n);
    benchmark::ClobberMemory();
    for (void* p : all) A::Free(p);
  }
  state.SetItemsProcessed(state.iterations() * 1000);
}

// Random sizes and lifetimes, as programs have them; on several threads, each its own blocks.
template <class A>
void Mixed(benchmark::State& state) {
  gort::rt::FastRand rng(static_cast<uint64_t>(state.thread_index()) + 1);
  std::vector<void*> live(2000, nullptr);
  for (auto _ : state) {
    void*& slot = live[rng.N(2000)];
    A::Free(slot);
    uint32_t r = rng.Next();
    slot = A::Alloc(r % 16 == 0 ? r % 20'000 : r % 300);
  }
  for (void* p : live) A::Free(p);
}

BENCHMARK_TEMPLATE(Pair, Gort)->Arg(1)->Arg(16)->Arg(256)->Arg(4096)->Arg(100'000);
BENCHMARK_TEMPLATE(Pair, Libc)->Arg(1)->Arg(16)->Arg(256)->Arg(4096)->Arg(100'000);
BENCHMARK_TEMPLATE(Burst, Gort)->Arg(16)->Arg(256)->Arg(4096);
BENCHMARK_TEMPLATE(Burst, Libc)->Arg(16)->Arg(256)->Arg(4096);
BENCHMARK_TEMPLATE(Mixed, Gort)->Threads(1)->Threads(2);
BENCHMARK_TEMPLATE(Mixed, Libc)->Threads(1)->Threads(2);

}  // namespace
