// bench/overhead.cc: what the monitor thread and pre-emption cost a program that computes.
//
//   overhead [--pairs=N] [--ms=N]
//
// Runs the same computation on every CPU twice: on plain threads while the runtime sleeps, and on
// goroutines, two for each P, so that the monitor looks after all Ps and every time slice ends in a
// switch. Which comes first changes from pair to pair. A report, not a test.
#include <algorithm>
#include <atomic>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <thread>
#include <vector>

#include "gflags/gflags.h"
#include "gort/base/attributes.h"
#include "gort/platforms/clock.h"
#include "gort/runtime.h"
#include "gort/sync/wait_group.h"

DEFINE_int32(pairs, 40, "how often both are timed");
DEFINE_int32(ms, 250, "about how long one timing takes");

namespace {

std::atomic<uint64_t> sink{0};

// Integer arithmetic on 16 KiB that stay in the first cache.
GORT_NOINLINE void Compute(int64_t rounds) {
  uint32_t table[4096];
  for (uint32_t i = 0; i < 4096; ++i) table[i] = i * 2654435761u;
  uint32_t x = 1;
  for (int64_t r = 0; r < rounds; ++r) {
    for (uint32_t& t : table) x = (t ^= x * 1664525u + 1013904223u);
  }
  sink.fetch_add(x);
}

// Each of n workers computes `rounds`; nanoseconds until the last is done.
int64_t OnThreads(int n, int64_t rounds) {
  const int64_t start = gort::rt::Nanotime();
  std::vector<std::thread> threads;
  for (int i = 0; i < n; ++i) threads.emplace_back(&Compute, rounds);
  for (std::thread& t : threads) t.join();
  return gort::rt::Nanotime() - start;
}

int64_t OnGoroutines(int n, int64_t rounds) {
  int64_t ns = 0;
  gort::Run([&] {
    const int64_t start = gort::rt::Nanotime();
    gort::WaitGroup wg;
    for (int i = 0; i < 2 * n; ++i) wg.Go([=] { Compute(rounds / 2); });
    wg.Wait();
    ns = gort::rt::Nanotime() - start;
    return 0;
  });
  return ns;
}

}  // namespace

int main(int argc, char** argv) {
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  const int n = static_cast<int>(std::thread::hardware_concurrency());
  constexpr int64_t kProbe = 2000;
  OnGoroutines(n, 2);
  const int64_t rounds = kProbe * FLAGS_ms * 1'000'000 / OnThreads(n, kProbe) / 2 * 2;
  std::vector<double> ratios;
  for (int i = 0; i < FLAGS_pairs; ++i) {
    int64_t threads = i % 2 == 0 ? OnThreads(n, rounds) : 0;
    const int64_t goroutines = OnGoroutines(n, rounds);
    if (threads == 0) threads = OnThreads(n, rounds);
    ratios.push_back(static_cast<double>(goroutines) / static_cast<double>(threads));
  }
  std::sort(ratios.begin(), ratios.end());
  auto percent = [&](size_t k) { return 100 * (ratios[k * (ratios.size() - 1) / 4] - 1); };
  std::printf(
      "%d CPUs, %zu pairs of %d ms: goroutines over threads: median %+.2f %%, half of them"
      " %+.2f to %+.2f %%\n",
      n, ratios.size(), FLAGS_ms, percent(2), percent(1), percent(3));
  return 0;
}
