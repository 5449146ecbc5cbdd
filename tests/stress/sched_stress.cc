// tests/stress/sched_stress.cc: the scheduler under random load.
//
//   sched_stress [--seconds=N] [--seed=S] [--workers=N] [--procs=N]
//
// Workers spawn children, park until somebody readies them, ready others, yield, lock themselves to
// threads, sleep, compute, leave the scheduler for system calls, end by Goexit, and change
// GOMAXPROCS, all at random. Every park is matched by exactly one ready (a slot holds either a
// parked goroutine or a permit), so a lost wake-up is a hang, which the watchdog turns into a dump,
// and a double one is fatal. At the end every goroutine must be gone. Prints its seed first; the
// same seed makes the same decisions in each worker, though not the same interleaving.
#include <unistd.h>

#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "gflags/gflags.h"
#include "gort/base/attributes.h"
#include "gort/base/rand.h"
#include "gort/base/throw.h"
#include "gort/lock/mutex.h"
#include "gort/platforms/clock.h"
#include "gort/proc/proc.h"
#include "gort/runtime.h"
#include "gort/timer/sleep.h"

DEFINE_int32(seconds, 10, "how long to run");
DEFINE_uint64(seed, 0, "seed of all decisions; 0: from the clock");
DEFINE_int32(workers, 32, "goroutines that act at random");
DEFINE_int32(procs, 8, "largest GOMAXPROCS that is set");
DEFINE_int32(threads, 2, "foreign threads that spawn and ready, too");

namespace gort::rt {

// A binary semaphore made of park and ready. It holds a lock of the runtime, so pre-emption must
// take it for runtime code: it is in this namespace and not inlined (preempt/safe_point.h).
class Slot {
 public:
  // Returns when a permit was there or came.
  GORT_NOINLINE void Wait() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mu_.Lock();
    if (permits_ > 0) {
      --permits_;
      mu_.Unlock();
      return;
    }
    waiters_.PushBack(CurrentG());
    GoParkUnlock(&mu_, WaitReason::kSemAcquire);
  }
  GORT_NOINLINE void Post() {
    G* gp;
    {
      LockGuard l(&mu_);
      gp = waiters_.Pop();
      if (gp == nullptr) ++permits_;
    }
    if (gp != nullptr) GoReady(gp);
  }

 private:
  Mutex mu_;
  int64_t permits_ ABSL_GUARDED_BY(mu_) = 0;
  GQueue waiters_ ABSL_GUARDED_BY(mu_);
};

}  // namespace gort::rt

namespace {

using gort::rt::FastRand;
using gort::rt::G;
using gort::rt::Slot;

constexpr int kSlots = 16;
Slot slots[kSlots];
std::atomic<bool> stop{false};
std::atomic<int64_t> live{0};
std::atomic<int64_t> spawned{0};
std::atomic<int64_t> parks{0};
std::atomic<int64_t> progress{0};

// Counts goroutines by their stack frames, so that Goexit and return are counted alike.
struct Alive {
  Alive() { live.fetch_add(1); }
  ~Alive() { live.fetch_sub(1); }
};

struct Probe {
  uint64_t a, b;
};

// The C library declares the address of errno to be a constant of the function that asks for it, so
// code that may change threads must ask in a function of its own (docs/HACKING.md).
__attribute__((noinline)) void SetErrno(int v) { errno = v; }
__attribute__((noinline)) int GetErrno() { return errno; }

// Values on the stack and in callee-saved registers must survive whatever happens in between.
template <class F>
void Checked(FastRand* rand, F f) {
  Probe probe{rand->Next64(), 0};
  probe.b = ~probe.a;
  uint64_t goid = gort::Goid();
  SetErrno(static_cast<int>(probe.a & 0x7f));
  f();
  if (GetErrno() != static_cast<int>(probe.a & 0x7f)) gort::rt::Throw("stress: errno changed");
  if (probe.a != ~probe.b || goid != gort::Goid()) gort::rt::Throw("stress: state changed");
}

void Wait(FastRand* rand) {
  // For each wait there is a permit: the worker first posts to some slot, and then waits at the
  // same slot, so the sum of permits is never below the number of waiters.
  Slot& slot = slots[rand->N(kSlots)];
  slot.Post();
  slot.Wait();
  parks.fetch_add(1, std::memory_order_relaxed);
}

void WaitForChild(FastRand* rand) {
  Slot own;
  uint64_t seed = rand->Next64();
  Slot* p = &own;
  gort::Go([p, seed] {
    Alive alive;
    spawned.fetch_add(1, std::memory_order_relaxed);
    FastRand r(seed);
    if (r.N(2) == 0) gort::Gosched();
    struct AtEnd {
      Slot* slot;
      ~AtEnd() { slot->Post(); }
    } at_end{p};
    if (r.N(4) == 0) gort::Goexit();
  });
  own.Wait();
  parks.fetch_add(1, std::memory_order_relaxed);
  // The child may still be inside Post: it holds the slot's lock last of all.
  own.Post();
  own.Wait();
}

void Throwing(FastRand* rand) {
  try {
    if (rand->N(2) == 0) gort::Gosched();
    throw rand->Next();
  } catch (uint32_t v) {
    gort::Gosched();  // parked inside a catch clause: exception state belongs to the goroutine
    try {
      throw;
    } catch (uint32_t again) {
      if (v != again) gort::rt::Throw("stress: another goroutine's exception");
    }
  }
}

// Makes no calls, so it leaves its thread when it is interrupted and not before.
void Spin(FastRand* rand) {
  uint64_t x = rand->Next64() | 1;
  const uint64_t first = x;
  uint64_t n = 1 + rand->N(200'000);
  for (uint64_t i = 0; i < n; ++i) x = x * 6364136223846793005u + 1;
  // Runs the generator backwards: every step must have been made once.
  for (uint64_t i = 0; i < n; ++i) x = (x - 1) * 0xc097ef87329e28a5u;
  if (x != first) gort::rt::Throw("stress: a register changed");
}

void Step(FastRand* rand) {
  switch (rand->N(64)) {
    case 0:
      gort::GOMAXPROCS(1 + static_cast<int>(rand->N(static_cast<uint32_t>(FLAGS_procs))));
      break;
    case 1:
      gort::LockOSThread();
      gort::Gosched();
      Wait(rand);
      gort::UnlockOSThread();
      break;
    case 2:
      gort::Sleep(absl::Microseconds(rand->N(200)));
      break;
    case 3:
      gort::Blocking([&] { return usleep(rand->N(100)); });
      break;
    case 4:
      gort::Go([seed = rand->Next64()] {  // ends with its thread
        Alive alive;
        gort::LockOSThread();
        FastRand r(seed);
        Wait(&r);
      });
      break;
    case 5:
    case 6:
      Throwing(rand);
      break;
    case 7:
      Spin(rand);
      break;
    default:
      if (rand->N(2) == 0) {
        Wait(rand);
      } else if (rand->N(2) == 0) {
        WaitForChild(rand);
      } else {
        gort::Gosched();
      }
  }
  progress.fetch_add(1, std::memory_order_relaxed);
}

void Worker(uint64_t seed) {
  Alive alive;
  FastRand rand(seed);
  while (!stop.load(std::memory_order_relaxed)) Checked(&rand, [&] { Step(&rand); });
}

void ForeignWorker(uint64_t seed) {
  FastRand rand(seed);
  while (!stop.load(std::memory_order_relaxed)) {
    if (rand.N(2) == 0) {
      Wait(&rand);
    } else {
      WaitForChild(&rand);
    }
    progress.fetch_add(1, std::memory_order_relaxed);
  }
}

// No progress at all for this long is a hang.
constexpr int kHangSeconds = 60;

void Watch() {
  int64_t last = -1;
  int quiet = 0;
  const int64_t end = gort::rt::Nanotime() + int64_t{FLAGS_seconds} * 1'000'000'000;
  while (!stop.load()) {
    usleep(100'000);
    int64_t now = progress.load();
    quiet = now == last ? quiet + 1 : 0;
    last = now;
    if (quiet > kHangSeconds * 10) gort::rt::Fatal("stress: no progress: a wake-up was lost");
    if (gort::rt::Nanotime() > end) stop.store(true);
  }
}

int Main() {
  FastRand rand(FLAGS_seed);
  std::thread watch(&Watch);
  for (int i = 0; i < FLAGS_workers; ++i) {
    uint64_t seed = rand.Next64();
    gort::Go([seed] { Worker(seed); });
  }
  std::thread foreign[16];
  for (int i = 0; i < FLAGS_threads; ++i) {
    foreign[i] = std::thread([seed = rand.Next64()] { ForeignWorker(seed); });
  }
  while (!stop.load()) gort::Sleep(absl::Milliseconds(20));
  for (int i = 0; i < FLAGS_threads; ++i) gort::Blocking([&] { foreign[i].join(); });
  gort::Blocking([&] { watch.join(); });
  const int64_t deadline = gort::rt::Nanotime() + int64_t{kHangSeconds} * 1'000'000'000;
  while (live.load() > 0) {
    if (gort::rt::Nanotime() > deadline) gort::rt::Fatal("stress: goroutines are left over");
    gort::Sleep(absl::Milliseconds(1));
  }
  while (gort::NumGoroutine() > 1) {
    if (gort::rt::Nanotime() > deadline) gort::rt::Fatal("stress: goroutines leaked");
    gort::Sleep(absl::Milliseconds(1));
  }
  printf("%" PRId64 " steps, %" PRId64 " parks, %" PRId64 " children: no hang, nothing left over\n",
         progress.load(), parks.load(), spawned.load());
  return 0;
}

}  // namespace

int gort_main(int argc, char** argv) {
  gflags::SetUsageMessage("random load on the scheduler; see the head of the source");
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  if (FLAGS_seed == 0) FLAGS_seed = static_cast<uint64_t>(gort::rt::Nanotime());
  if (FLAGS_threads > 16) FLAGS_threads = 16;
  printf("seed %" PRIu64 "\n", FLAGS_seed);
  fflush(stdout);
  return Main();
}
