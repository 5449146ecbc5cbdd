// The fast paths whose instructions are counted, in a program with the whole runtime. Run with
// GOMAXPROCS=1; README.md says what is one operation of each.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "gort/bench/instructions/counting.h"
#include "gort/chan/chan.h"
#include "gort/gmp/g.h"
#include "gort/gmp/p.h"
#include "gort/lock/mutex.h"
#include "gort/malloc/malloc.h"
#include "gort/proc/proc.h"
#include "gort/proc/runq.h"
#include "gort/runtime.h"
#include "gort/sync/mutex.h"
#include "gort/sync/wait_group.h"

namespace gort::bench {
namespace {

constexpr int64_t kN = 2000;

void CheckThat(bool ok) {
  if (!ok) abort();
}

// The compiler must take *p for read and changed.
void Use(void* p) { asm volatile("" : : "r"(p) : "memory"); }

// On a P that nobody runs.
void CountRunq() {
  const auto pp = std::make_unique<rt::P>();
  const auto gp = std::make_unique<rt::G>();
  bool inherit_time = false;
  for (const bool next : {false, true}) {
    Count(next ? "runq_next" : "runq_ring", kN, [&, next](int64_t n) {
      for (int64_t i = 0; i < n; ++i) {
        Use(pp.get());
        CheckThat(rt::RunqPut(pp.get(), gp.get(), next) == nullptr);
        CheckThat(rt::RunqGet(pp.get(), &inherit_time) == gp.get());
      }
    });
  }
}

// Two goroutines of which one runs at a time: whoever has the turn wakes the other and parks.
class Turns {
 public:
  void Pass() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mu_.Lock();
    rt::G* other = waiting_;
    waiting_ = rt::CurrentG();
    if (other != nullptr) rt::GoReady(other);
    rt::GoParkUnlock(&mu_, rt::WaitReason::kChanReceive);
  }
  void Leave() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mu_.Lock();
    rt::G* other = waiting_;
    waiting_ = nullptr;
    if (other != nullptr) rt::GoReady(other);
    mu_.Unlock();
  }

 private:
  rt::Mutex mu_{rt::LockRank::kRoot};
  rt::G* waiting_ = nullptr;
};

// f(n) in each of two goroutines.
template <class F>
void InTwo(int64_t n, const F& f) {
  WaitGroup wg;
  wg.Go([&f, n] { f(n); });
  wg.Go([&f, n] { f(n); });
  wg.Wait();
}

void CountSwitches() {
  Count("park_ready", kN, [](int64_t n) {
    Turns turns;
    InTwo(n / 2, [&turns](int64_t half) {
      for (int64_t i = 0; i < half; ++i) turns.Pass();
      turns.Leave();
    });
  });
  Count("yield", kN, [](int64_t n) {
    InTwo(n / 2, [](int64_t half) {
      for (int64_t i = 0; i < half; ++i) Gosched();
    });
  });
}

// In batches, so that they run while their starter waits.
void CountGo() {
  Count("go", kN, [](int64_t n) {
    constexpr int64_t kBatch = 100;
    WaitGroup wg;
    for (int64_t i = 0; i < n; i += kBatch) {
      wg.Add(kBatch);
      for (int64_t k = 0; k < kBatch; ++k) Go([&wg] { wg.Done(); });
      wg.Wait();
    }
  });
}

void CountChannels() {
  Count("chan_buffered", kN, [](int64_t n) {
    const Chan<int64_t> c = MakeChan<int64_t>(16);
    for (int64_t i = 0; i < n; ++i) {
      c.Send(i);
      CheckThat(*c.Recv() == i);
    }
  });
  Count("chan_unbuffered", kN, [](int64_t n) {
    const Chan<int64_t> c = MakeChan<int64_t>();
    Go([c, n] {
      for (int64_t i = 0; i < n; ++i) c.Send(i);
    });
    for (int64_t i = 0; i < n; ++i) CheckThat(*c.Recv() == i);
  });
}

void CountMalloc(const char* name, size_t bytes) {
  Count(name, kN, [bytes](int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      void* p = malloc::Alloc(bytes);
      Use(p);
      malloc::Free(p);
    }
  });
}

void CountMutex() {
  Count("mutex", kN, [](int64_t n) {
    Mutex mu;
    for (int64_t i = 0; i < n; ++i) {
      mu.Lock();
      Use(&mu);
      mu.Unlock();
    }
  });
}

}  // namespace
}  // namespace gort::bench

int gort_main(int, char**) {
  gort::bench::CountRunq();
  gort::bench::CountSwitches();
  gort::bench::CountGo();
  gort::bench::CountChannels();
  gort::bench::CountMalloc("malloc_tiny", 4);
  gort::bench::CountMalloc("malloc_64", 64);
  gort::bench::CountMutex();
  // Which compiler these are the counts of.
#if defined(__clang__)
  std::printf("clang %d\n", __clang_major__);
#else
  std::printf("gcc %d\n", __GNUC__);
#endif
  return 0;
}
