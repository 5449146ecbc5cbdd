// tests/preempt/registers_test.cc: what was in the registers at the interrupted instruction is in
// them at the next.
//
//   registers_test [--seconds=N] [--seed=S]
//
// GOMAXPROCS=2 and more goroutines than that, each with every register full of random bits and
// pre-empted every 100 us (GODEBUG=preemptrate=10000, from the BUILD file). All registers, flags
// and control words are compared after each round. Every way of spinning must have been pre-empted,
// and some goroutine must have come back on another thread.
#include "gort/tests/preempt/registers.h"

#include <atomic>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "gflags/gflags.h"
#include "gort/base/attributes.h"
#include "gort/base/rand.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/thread.h"
#include "gort/preempt/preempt.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/tests/preempt/arch.h"
#include "gort/timer/sleep.h"

DEFINE_int32(seconds, 4, "how long at least");
DEFINE_uint64(seed, 0, "of the register contents; 0: from the clock");

int gort_main(int argc, char** argv);

namespace registers_test {

using registers::State;
using registers::Way;

std::atomic<bool> stop{false};
std::atomic<int> live{0};
std::atomic<int64_t> moved{0};
std::atomic<int64_t> rounds{0};
std::atomic<bool> failed{false};

bool Same(const State& a, const State& b, const Way& way) {
  for (int i = 0; i < static_cast<int>(sizeof a.gpr / sizeof a.gpr[0]); ++i) {
    if (i != way.not_kept && a.gpr[i] != b.gpr[i]) return false;
  }
  for (int i = 0; i < way.vectors; ++i) {
    if (memcmp(a.v[i], b.v[i], way.vector_bytes) != 0) return false;
  }
  return registers::ControlSame(a, b, way);
}

void Worker(const Way* way, uint64_t seed) {
  gort::rt::FastRand rand;
  rand.Seed(seed);
  State before;
  while (!stop.load(std::memory_order_relaxed)) {
    auto* words = reinterpret_cast<unsigned char*>(&before);
    for (size_t i = 0; i < sizeof before; ++i) words[i] = static_cast<unsigned char>(rand.Next());
    registers::FixControl(&before);
    State after = before;
    int tid = gort::rt::ThreadId();
    way->spin(&after, 200'000);
    if (gort::rt::ThreadId() != tid) moved.fetch_add(1);
    if (!Same(before, after, *way)) {
      std::printf("FAILED: %s: registers differ\n", way->name);
      for (size_t i = 0; i < sizeof before; ++i) {
        if (words[i] != reinterpret_cast<unsigned char*>(&after)[i]) std::printf(" byte %zu", i);
      }
      std::printf("\n");
      failed.store(true);
      stop.store(true);
    }
    rounds.fetch_add(1);
  }
  live.fetch_sub(1);
}

}  // namespace registers_test

int gort_main(int argc, char** argv) {
  using namespace registers_test;  // NOLINT
  if (GORT_TSAN || GORT_ASAN) {
    std::printf("skipped: with a sanitizer no goroutine moves (preempt/preempt.cc)\n");
    return 0;
  }
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  uint64_t seed = FLAGS_seed != 0 ? FLAGS_seed : static_cast<uint64_t>(gort::rt::Nanotime());
  std::printf("seed %" PRIu64 "\n", seed);
  gort::rt::GoMaxProcs(2);
  Way ways[registers::kMaxWays];
  int n = registers::Ways(ways);
  for (int i = 0; i < 2 * n + 1; ++i) {
    live.fetch_add(1);
    gort::GoOptions options;
    options.may_move = true;
    gort::Go(options,
             [way = &ways[i % n], seed, i] { Worker(way, seed + static_cast<uint64_t>(i)); });
  }
  int64_t start = gort::rt::Nanotime();
  while (!stop.load()) {
    gort::Sleep(absl::Milliseconds(20));
    int64_t s = (gort::rt::Nanotime() - start) / 1'000'000'000;
    bool enough = gort::rt::PreemptCount(gort::rt::Interrupted::kMoved) > 100 && moved.load() > 0;
    if (s >= FLAGS_seconds && enough) break;
    if (s >= 50 + FLAGS_seconds) {
      std::printf("FAILED: safe %" PRId64 " moved %" PRId64 "\n",
                  gort::rt::PreemptCount(gort::rt::Interrupted::kMoved), moved.load());
      failed.store(true);
      break;
    }
  }
  stop.store(true);
  while (live.load() != 0) gort::Sleep(absl::Milliseconds(1));
  std::printf("rounds %" PRId64 ", pre-empted %" PRId64 ", moved %" PRId64 "\n", rounds.load(),
              gort::rt::PreemptCount(gort::rt::Interrupted::kMoved), moved.load());
  std::fflush(stdout);
  return failed.load() ? 1 : 0;
}
