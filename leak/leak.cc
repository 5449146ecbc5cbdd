#include "gort/leak/leak.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <string_view>
#include <utility>

#include "gort/base/attributes.h"
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/wait_reason.h"
#include "gort/leak/internal/heap.h"
#include "gort/leak/internal/scratch.h"
#include "gort/leak/internal/search.h"
#include "gort/leak/internal/stop_threads.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/thread.h"
#include "gort/proc/on_goroutine.h"
#include "gort/proc/proc.h"
#include "gort/stack/internal/stack_alloc.h"
#include "gort/traceback/traceback.h"

namespace gort::leak {
namespace {

using rt::G;

// Attempts while a thread stands inside malloc; after them the C library's heap is searched as a whole.
constexpr int kAttempts = 20;
constexpr int kThreadAttempts = 5;  // while a thread does not stop
constexpr int64_t kPauseNs = 500'000;
constexpr int64_t kThreadsNs = 100'000'000;  // for the threads to stop

const char* Text(rt::SearchEnd end) {
  switch (end) {
    case rt::SearchEnd::kNoStop:
      return "a thread does not stop: it blocks the signal of pre-emption";
    case rt::SearchEnd::kTooLong:
      return "it takes too long";
    case rt::SearchEnd::kNoMemory:
      return "no memory";
    case rt::SearchEnd::kNoMaps:
      return "/proc/self/maps cannot be read";
    default:
      return "";
  }
}

// An address in its own frame: the frames above it are the caller's.
GORT_NOINLINE uintptr_t Below() { return reinterpret_cast<uintptr_t>(__builtin_frame_address(0)); }

// Empties the Ps' caches of stacks: a stack there is nobody's, but looks like one that is in use.
void FlushStacks() {
  for (const auto& at : rt::allp) {
    const rt::P* pp = at.load(std::memory_order_acquire);  // pairs with: ProcResize
    if (pp == nullptr) return;
    if (pp->stackcache != nullptr) rt::StackCacheFlush(pp->stackcache);
  }
}

// Sets G::leaked, which the header of a traceback shows, for those that nothing reaches.
void SetFlags(const rt::Grow<rt::Search::Waiter>& waiters) {
  for (G* gp = rt::allgs.load(std::memory_order_acquire); gp != nullptr; gp = gp->alllink) {
    if (gp->leaked) gp->leaked = false;
  }
  for (const auto& w : waiters) {
    if (w.reached) continue;
    w.g->leaked = true;
    w.g->rare = true;
  }
}

// Gets memory for the search's list of threads, and stops the threads. kDone: they stand.
rt::SearchEnd StopAll(rt::StopThreads* threads, int64_t deadline) {
  if (!threads->Prepare()) return rt::SearchEnd::kNoMemory;
  if (threads->Stop(std::min(deadline, rt::Nanotime() + kThreadsNs))) return rt::SearchEnd::kDone;
  return rt::Nanotime() < deadline ? rt::SearchEnd::kNoStop : rt::SearchEnd::kTooLong;
}

// With the world stopped: stops the threads, searches, lets them go on.
GORT_NOINLINE rt::SearchEnd SearchStopped(rt::Scratch* scratch, uintptr_t key, uintptr_t frame,
                                          bool whole, int64_t deadline, Report* report) {
  rt::StopThreads threads(scratch);
  const rt::SearchEnd stopped = StopAll(&threads, deadline);
  if (stopped != rt::SearchEnd::kDone) return stopped;
  rt::Search search(scratch, &threads.threads(), key);
  const rt::SearchEnd end = search.Run(rt::Getg(), frame, whole, deadline);
  if (end == rt::SearchEnd::kDone) SetFlags(search.waiters());
  threads.Resume();
  report->waiting = search.waiters().size();
  report->bytes = search.bytes();
  return end;
}

// time + ns, or the end of time.
int64_t After(int64_t time, int64_t ns) {
  int64_t sum;
  return __builtin_add_overflow(time, ns, &sum) ? INT64_MAX : sum;
}

// One attempt. The frames that count lie above `frame`.
rt::SearchEnd FindOnce(uintptr_t key, uintptr_t frame, bool whole, int64_t most_ns,
                       Report* report) {
  auto scratch = std::make_unique<rt::Scratch>();
  rt::StopTheWorld(rt::WaitReason::kStoppingTheWorld);
  const int64_t began = rt::Nanotime();
  FlushStacks();
  const rt::SearchEnd end =
      SearchStopped(scratch.get(), key, frame, whole, After(began, most_ns), report);
  report->stopped += std::chrono::nanoseconds(rt::Nanotime() - began);
  rt::StartTheWorld();
  return end;
}

// Whether attempt i shall be followed by another.
bool Again(rt::SearchEnd end, int i) {
  // A thread that is being born blocks all signals, and may wait for a CPU.
  if (end == rt::SearchEnd::kNoStop) return i < kThreadAttempts;
  return end == rt::SearchEnd::kChanging && i < kAttempts;
}

// Between `from` and `to` of text, or nothing.
std::string Part(std::string_view text, std::string_view from, std::string_view to) {
  const size_t begin = text.find(from);
  if (begin == std::string_view::npos) return {};
  text.remove_prefix(begin + from.size());
  const size_t end = to.empty() ? std::string_view::npos : text.find(to);
  return std::string(end == std::string_view::npos ? text : text.substr(0, end));
}

// gp has been found to wait for ever. It is frozen all the same while it is described, in case that
// it runs.
Goroutine Describe(G* gp) {
  Goroutine g;
  g.id = gp->goid;
  if (gp->name != nullptr) g.name = gp->name;
  g.waits_for = rt::WaitReasonText(gp->waitreason);
  for (size_t room = 16 << 10;; room *= 4) {
    g.traceback.resize(room);
    rt::Printer p(g.traceback.data(), room);
    rt::PrintGoroutineHeader(p, gp);
    rt::PrintTraceback(p, gp);
    rt::PrintCreatedBy(p, gp);
    if (p.size() < room) {
      g.traceback.resize(p.size());
      break;
    }
  }
  const std::string creator = Part(g.traceback, "created by ", "");
  g.created_by = Part("\n" + creator, "\n", "\n");
  g.created_by = g.created_by.substr(0, g.created_by.find(" in goroutine "));
  g.created_at = Part(creator, "\t", " +0x");
  g.created_at = g.created_at.substr(0, g.created_at.find('\n'));
  return g;
}

std::vector<Goroutine> DescribeAll() {
  std::vector<Goroutine> all;
  for (G* gp = rt::allgs.load(std::memory_order_acquire); gp != nullptr; gp = gp->alllink) {
    if (!gp->leaked || !rt::CasToGScanStatus(gp, rt::kGWaiting)) continue;
    if (gp->leaked) all.push_back(Describe(gp));
    rt::CasFromGScanStatus(gp, rt::kGWaiting | rt::kGScan);
  }
  std::sort(all.begin(), all.end(),
            [](const Goroutine& a, const Goroutine& b) { return a.id < b.id; });
  return all;
}

// The search itself. Runs on a goroutine, whose frames above `frame` count.
GORT_NOINLINE void FindAbove(uintptr_t frame, const Options& options, Report* report) {
  static const uintptr_t key = rt::FreeBlockKey();
  rt::StopThreads::Install();
  rt::SearchEnd end;
  for (int i = 0;; ++i) {
    end = FindOnce(key, frame, i == kAttempts, options.most.count(), report);
    if (!Again(end, i)) break;
    rt::ThreadSleep(kPauseNs);
  }
  report->not_done = Text(end);
  if (end != rt::SearchEnd::kDone) return;
  report->leaked = DescribeAll();
  rt::sched.leaked.store(static_cast<int64_t>(report->leaked.size()), std::memory_order_relaxed);
}

// The caller's registers lie in this frame, and nothing else: what earlier calls have left behind in
// larger ones looks like pointers too.
GORT_NOINLINE bool FindHere(const Options& options, Report* report) {
  __builtin_unwind_init();
  FindAbove(Below(), options, report);
  return report->not_done.empty();
}

}  // namespace

Report Find(const Options& options) {
  Report report;
  report.stopped = {};
  if (GORT_ASAN || GORT_TSAN) {
    report.not_done = "not with a sanitizer";
  } else if (!rt::sched.main_started.load()) {
    report.not_done = "gort::Run has not begun";
  } else {
    rt::OnAGoroutine([&] { return FindHere(options, &report); });
  }
  return report;
}

int64_t LastCount() { return rt::sched.leaked.load(std::memory_order_relaxed); }

}  // namespace gort::leak
