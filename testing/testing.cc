#include "gort/testing/testing.h"

#include <atomic>
#include <exception>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "gort/base/panic.h"
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/status.h"
#include "gort/gmp/wait_reason.h"
#include "gort/lock/mutex.h"
#include "gort/proc/proc.h"
#include "gort/proc/sched_seed.h"
#include "gort/runtime.h"
#include "gort/testing/internal/as_goroutine.h"
#include "gort/timer/internal/bubble.h"
#include "gort/timer/sleep.h"

// The goroutine that called Run watches the bubble: it lets others run until it finds everybody in
// the bubble parked. That is certain only in a stopped world, where nobody is on the way from one
// state to another; a glance without stopping it tells in most cases that it is not worth while.
// Then the watcher does one of: end, wake the one in Wait, move the clock and run what is due, or
// report. It belongs to the bubble only while it does that for others (Inside).

namespace gort::testing {
namespace {

using rt::Bubble;
using rt::G;
using rt::WaitReason;

struct BubbleList {
  rt::Mutex mu;  // not ranked: taken with no other lock held
  Bubble* free ABSL_GUARDED_BY(mu) = nullptr;
};
constinit BubbleList bubbles;

Bubble* TakeBubble() {
  {
    rt::LockGuard l(&bubbles.mu);
    if (Bubble* b = bubbles.free; b != nullptr) {
      bubbles.free = b->free_link;
      b->now_ns.store(rt::kBubbleStartNs, std::memory_order_relaxed);
      return b;
    }
  }
  return new Bubble;
}

void GiveBack(Bubble* b) {
  rt::BubbleDropTimers(b);
  rt::LockGuard l(&bubbles.mu);
  b->free_link = bubbles.free;
  bubbles.free = b;
}

// The calling goroutine belongs to b while this lives.
class Inside {
 public:
  explicit Inside(Bubble* b) {
    rt::G* gp = rt::CurrentG();
    gp->bubble.store(b, std::memory_order_relaxed);
    gp->rare = true;
  }
  ~Inside() { rt::CurrentG()->bubble.store(nullptr, std::memory_order_relaxed); }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
};

// Calls f(gp, status) for every goroutine of b.
template <class F>
void ForEach(const Bubble* b, F f) {
  for (G* gp = rt::allgs.load(std::memory_order_acquire); gp != nullptr; gp = gp->alllink) {
    const uint32_t status = rt::ReadGStatus(gp) & ~uint32_t{rt::kGScan};
    if (status == rt::kGDead || status == rt::kGIdle) continue;
    if (gp->bubble.load(std::memory_order_relaxed) == b) f(gp, status);
  }
}

// True when gp's wait can only be ended by another goroutine of the bubble, or by its clock.
bool Blocked(const G* gp, uint32_t status) {
  if (status != rt::kGWaiting) return false;
  switch (gp->waitreason) {
    case WaitReason::kIoWait:
    case WaitReason::kForceIdle:
    case WaitReason::kPreempted:
    case WaitReason::kStoppingTheWorld:
      return false;
    default:
      return true;
  }
}

// Lets other goroutines run until those of b are all blocked, and returns the number of these.
int WaitQuiet(const Bubble* b) {
  constexpr int kPatience = 100;
  for (int round = 0;; ++round) {
    // A goroutine of b is busy with something real, such as a system call: look less often.
    if (round >= kPatience) {
      gort::Sleep(absl::Microseconds(50));
    } else {
      gort::Gosched();
    }
    bool quiet = true;
    ForEach(b, [&](const G*, uint32_t status) { quiet &= status == rt::kGWaiting; });
    if (!quiet) continue;
    int n = 0;
    rt::StopTheWorld(WaitReason::kStoppingTheWorld);
    ForEach(b, [&](const G* gp, uint32_t status) {
      ++n;
      quiet &= Blocked(gp, status);
    });
    rt::StartTheWorld();
    if (quiet) return n;
  }
}

void ReportSeed() {
  if (rt::SchedSeeded()) {
    rt::Printer() << "gort: failed with GODEBUG=schedseed=" << rt::SchedSeed() << '\n';
  }
}

// On stderr: text, who is in b, the seed.
void ReportBlocked(const Bubble* b, const char* text) {
  rt::Printer() << "gort: " << text << ":\n";
  ForEach(b, [](const G* gp, uint32_t status) {
    rt::Printer() << "  goroutine " << gp->goid << " [" << rt::WaitReasonText(gp->waitreason)
                  << "]";
    if (gp->name != nullptr) rt::Printer() << " \"" << gp->name << '"';
    rt::Printer() << ", created by goroutine " << gp->parent_goid << '\n';
  });
  ReportSeed();
}

// What Run and the goroutine of f share; that goroutine may stay behind for ever.
struct Main {
  std::function<void()> f;
  std::exception_ptr error;
  std::atomic<bool> done{false};

  void operator()() {
    struct Done {
      Main* m;
      ~Done() { m->done.store(true); }
    } end{this};
    try {
      f();
    } catch (...) {
      if (rt::CurrentG()->goexiting) throw;
      error = std::current_exception();
    }
  }
};

void RunHere(const std::function<void()>& f) {
  if (rt::CurrentBubble() != nullptr) throw Panic("gort::testing::Run called from within a bubble");
  Bubble* b = TakeBubble();
  auto main = std::make_shared<Main>();
  main->f = f;
  {
    Inside inside(b);
    gort::Go([main] { (*main)(); });
  }
  while (WaitQuiet(b) != 0) {
    if (G* gp = b->waiter.exchange(nullptr); gp != nullptr) {
      rt::GoReady(gp);
    } else if (const int64_t next = rt::BubbleNextTimer(b); next != 0 && !main->done) {
      Inside inside(b);
      rt::BubbleAdvance(b, next);
    } else {
      // b stays as it is, with the goroutines that are in it.
      const char* text =
          main->done ? "deadlock: main bubble goroutine has exited but blocked goroutines remain"
                     : "deadlock: all goroutines in bubble are blocked";
      ReportBlocked(b, text);
      if (main->done && main->error != nullptr) std::rethrow_exception(main->error);
      throw Panic(text);
    }
  }
  GiveBack(b);
  if (main->error == nullptr) return;
  ReportSeed();
  std::rethrow_exception(std::move(main->error));
}

// Makes gp the goroutine in Wait. False: there is one already; gp then goes on at once, and finds
// the bubble in gp->param.
bool SetWaiter(G* gp, void* bubble) {
  G* nobody = nullptr;
  if (static_cast<Bubble*>(bubble)->waiter.compare_exchange_strong(nobody, gp)) return true;
  gp->param = bubble;
  return false;
}

}  // namespace

void Run(const std::function<void()>& f) {
  AsGoroutine([&] { RunHere(f); });
}

void Wait() {
  Bubble* b = rt::CurrentBubble();
  if (b == nullptr) throw Panic("gort::testing::Wait called outside of a bubble");
  G* gp = rt::CurrentG();
  gp->param = nullptr;
  rt::GoPark(&SetWaiter, b, WaitReason::kZero);
  if (std::exchange(gp->param, nullptr) != nullptr) {
    throw Panic("gort::testing::Wait is going on already");
  }
}

void Explore(int schedules, const std::function<void()>& f, uint64_t first) {
  AsGoroutine([&] {
    struct Restore {
      int procs = gort::GOMAXPROCS(1);
      uint64_t seed = rt::SchedSeed();
      ~Restore() {
        rt::SetSchedSeed(seed);
        gort::GOMAXPROCS(procs);
      }
    } restore;
    if (restore.seed != 0) {
      first = restore.seed;
      schedules = 1;
    }
    for (int i = 0; i < schedules; ++i) {
      rt::SetSchedSeed(first + static_cast<uint64_t>(i));
      RunHere(f);
    }
  });
}

uint64_t ScheduleSeed() { return rt::SchedSeed(); }

}  // namespace gort::testing
