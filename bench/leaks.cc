// bench/leaks.cc: what a search for leaks costs.
//
//   leaks [ROUNDS]
//
// For so many goroutines that wait, each for a channel of its own that a vector leads to, and for so many
// megabytes of small blocks that all hold pointers to one another, and nothing else: how much the search
// reads, how long the program stands still, how long the call takes, and the CPU time of that, which does not
// depend on what else the machine does. Least and median of the rounds (9).
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "gort/chan/chan.h"
#include "gort/leak/leak.h"
#include "gort/metrics/metrics.h"
#include "gort/runtime.h"

namespace {

using Clock = std::chrono::steady_clock;

// A block of 512 bytes full of pointers, as of a tree.
struct Block {
  Block* to[64];
};

double CpuMs() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

double Ms(Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

void Print(const char* what, std::vector<double> ms) {
  std::sort(ms.begin(), ms.end());
  std::printf("  %s %8.2f %8.2f ms", what, ms[0], ms[ms.size() / 2]);
}

void Measure(const char* what, int rounds) {
  std::vector<double> stopped, all, cpu;
  gort::leak::Report r;
  for (int i = 0; i < rounds; ++i) {
    const Clock::time_point start = Clock::now();
    const double cpu_start = CpuMs();
    r = gort::leak::Find({.most = std::chrono::minutes(1)});
    cpu.push_back(CpuMs() - cpu_start);
    all.push_back(Ms(Clock::now() - start));
    stopped.push_back(Ms(std::chrono::duration_cast<Clock::duration>(r.stopped)));
    if (!r.not_done.empty()) std::printf("not done: %s\n", r.not_done.c_str());
  }
  std::printf("%-17s leaked %zu read %7.1f MB", what, r.leaked.size(),
              static_cast<double>(r.bytes) / 1e6);
  Print("stopped", stopped);
  Print("all", all);
  Print("CPU", cpu);
  std::printf("\n");
  std::fflush(stdout);
}

void Waiters(size_t n, std::vector<gort::Chan<int>>* channels) {
  while (channels->size() < n) {
    channels->push_back(gort::MakeChan<int>());
    gort::Go([c = channels->back()] { c.Recv(); });
  }
  const auto waiting = static_cast<double>(n);
  while (gort::metrics::Value(gort::metrics::Read(), "gort_goroutines_waiting", "chan receive") <
         waiting) {
    gort::Gosched();
  }
}

void Grow(size_t bytes, std::vector<std::unique_ptr<Block>>* heap) {
  while (heap->size() * sizeof(Block) < bytes) {
    auto block = std::make_unique<Block>();
    for (size_t i = 0; i < 64; ++i) {
      block->to[i] =
          heap->empty() ? nullptr : (*heap)[heap->size() * 7919 * (i + 1) % heap->size()].get();
    }
    heap->push_back(std::move(block));
  }
}

}  // namespace

int gort_main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 9;
  std::vector<gort::Chan<int>> channels;
  Waiters(10, &channels);
  Measure("10 goroutines", rounds);
  {
    std::vector<std::unique_ptr<Block>> heap;
    for (const size_t mb : {size_t{10}, size_t{1000}}) {
      Grow(mb << 20, &heap);
      Measure(mb == 10 ? "heap of 10 MB" : "heap of 1000 MB", rounds);
    }
  }
  Waiters(10'000, &channels);
  Measure("10000 goroutines", rounds);
  Waiters(100'000, &channels);
  Measure("100000 goroutines", rounds);
  return 0;
}
