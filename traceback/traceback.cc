#include "gort/traceback/traceback.h"

#include <atomic>
#include <string_view>

#include "gort/base/attributes.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/labels.h"
#include "gort/gmp/m.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/status.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/pins.h"
#include "gort/traceback/ancestors.h"
#include "gort/traceback/frame_printer.h"
#include "gort/traceback/running.h"
#include "gort/traceback/symbolize.h"
#include "gort/traceback/unwind.h"

namespace gort::rt {
namespace {

constexpr int64_t kMinute = 60ll * 1'000'000'000;

// Up to so many goroutines are put in order; more would need memory or quadratic time.
constexpr int kOrdered = 4096;

constexpr std::string_view kWordBytes =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@+*%";

bool AddFrame(const Frame& frame, void* arg) {
  static_cast<FramePrinter*>(arg)->Add(frame);
  return true;
}

// Keeps gp from running while its stack is read; *status is what it was. False: it is running (or in a
// system call) on another thread, or dead.
bool FreezeG(G* gp, uint32_t* status) {
  *status = ReadGStatus(gp) & ~uint32_t{kGScan};  // with the bit: another report reads it
  return (*status == kGWaiting || *status == kGRunnable || *status == kGPreempted) &&
         CasToGScanStatus(gp, *status);
}

// While it lives nobody takes the P of the reporter, for whom others would wait with what it has
// frozen. A report that is not the process's last is made with a P: where that is the only one, no
// other goroutine runs, and all stacks are there.
class Reporting {
 public:
  explicit Reporting(bool last) { last ? Pin() : PinWithP(); }
  ~Reporting() { Unpin(); }
  Reporting(const Reporting&) = delete;
  Reporting& operator=(const Reporting&) = delete;
};

// Of a G that has not run: its first function is all that is known of it.
GORT_NO_TSAN void AddFirst(FramePrinter* frames, const G* gp) {
  if (gp->entry != nullptr) frames->Add({reinterpret_cast<uintptr_t>(gp->entry), 0, true});
}

// Goroutines go on while a report of others is made, so a field of a G that runs, ends or is used
// anew may be a moment old when it is read. Each field is one word, and a G is never freed. What
// lies on a stack is read under the freeze.
// ask: the report is the process's last, and threads may be interrupted for it.
GORT_NO_TSAN void PrintOther(Printer& p, G* gp, bool ask) {
  Reporting reporting(ask);
  uint32_t status = 0;
  FramePrinter frames(p);
  bool frozen = FreezeG(gp, &status);
  p << '\n';
  PrintGoroutineHeader(p, gp, frozen);
  const bool fresh = IsGFresh(gp);
  const bool walked = ask && !frozen && !fresh && RunningFrames(gp, &frames);
  // One that gave way after the first look answers no signal: it waits in a handler, or has no thread.
  if (!frozen && !walked) frozen = FreezeG(gp, &status);
  if (frozen && !gp->foreign) {
    PrintTraceback(p, gp);
  } else if (fresh || walked) {
    if (fresh) AddFirst(&frames, gp);
    frames.Finish();
  } else {
    p << "\tgoroutine running on other thread; stack unavailable\n";
  }
  PrintCreatedBy(p, gp);
  if (frozen) {
    PrintAncestors(p, gp);
    CasFromGScanStatus(gp, status | kGScan);
  }
}

constinit std::atomic<bool> report_all{false};

GORT_NO_TSAN bool Shown(const G* gp, const G* me) {
  if (gp == me || gp->goid == 0 || (gp->system && !ShowsAllFrames())) return false;
  uint32_t status = ReadGStatus(gp) & ~uint32_t{kGScan};
  return status != kGDead && status != kGIdle;
}

// The G that the calling context belongs to; null: none, as on a system stack.
G* CallersG() {
  G* gp = Getg();
  if (gp == nullptr || gp->m == nullptr || gp != gp->m->g0) return gp;
  // On g0 the M works for the G that called SystemStack, or for the scheduler itself.
  G* curg = gp->m->curg;
  return curg != nullptr && (ReadGStatus(curg) & ~uint32_t{kGScan}) == kGRunning ? curg : nullptr;
}

// skip_to: see FramePrinter::SkipTo.
void PrintCurrent(Printer& p, const G* gp, const SigCtx* ctx, const void* skip_to) {
  if (gp == nullptr || gp->goid == 0) {
    p << "runtime stack:\n";
  } else {
    PrintGoroutineHeader(p, gp);
  }
  FramePrinter frames(p);
  if (ctx != nullptr) {
    UnwindSigCtx(*ctx, &AddFrame, &frames);
  } else {
    frames.SkipTo(skip_to);
    UnwindCurrent(0, &AddFrame, &frames);
  }
  frames.Finish();
  if (gp == nullptr) return;
  PrintCreatedBy(p, gp);
  PrintAncestors(p, gp);
}

// From here on this thread does nothing but report: pre-emption leaves it alone. Go: m.dying
void MarkDying() {
  // A core says by this since when its goroutines wait.
  sched.coarse_now.store(Nanotime(), std::memory_order_relaxed);
  if (G* gp = Getg(); gp != nullptr && gp->m != nullptr) {
    gp->m->dying.store(1, std::memory_order_relaxed);  // read by sysmon (TakeIfInProgram)
  }
}

// A text that is a word, as it is; any other between quotes, so that it looks like nothing else.
void PrintLabelText(Printer& p, std::string_view text) {
  const bool word = !text.empty() && text.find_first_not_of(kWordBytes) == text.npos;
  if (word) {
    p.Str(text.data(), text.size());
    return;
  }
  p << '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      p << "\\x"
        << "0123456789abcdef"[byte >> 4] << "0123456789abcdef"[byte & 15];
    } else {
      if (c == '"' || c == '\\') p << '\\';
      p << c;
    }
  }
  p << '"';
}

void PrintLabels(Printer& p, const LabelSet* labels) {
  if (labels == nullptr) return;
  const char* before = " {";
  for (const LabelText& l : *labels) {
    p << before;
    PrintLabelText(p, l.key);
    p << '=';
    PrintLabelText(p, l.value);
    before = ", ";
  }
  p << '}';
}

}  // namespace

GORT_NO_TSAN void PrintGoroutineHeader(Printer& p, const G* gp, bool labels) {
  uint32_t status = ReadGStatus(gp) & ~uint32_t{kGScan};
  p << "goroutine " << gp->goid << " [";
  if (status == kGWaiting && gp->waitreason != WaitReason::kZero) {
    p << WaitReasonText(gp->waitreason);
  } else {
    p << GStatusName(status);
  }
  if (status == kGWaiting) {
    int64_t waited = gp->waitsince != 0 ? Nanotime() - gp->waitsince : 0;
    if (waited >= kMinute) p << ", " << waited / kMinute << " minutes";
  }
  if (status == kGWaiting && gp->leaked) p << ", leaked";
  if (gp->lockedm != nullptr) p << ", locked to thread";
  if (const char* name = gp->name; name != nullptr) p << ", name \"" << name << '"';
  p << ']';
  if (labels) PrintLabels(p, gp->labels.load(std::memory_order_relaxed));
  p << ":\n";
}

GORT_NOINLINE void PrintTraceback(Printer& p, G* gp) {
  FramePrinter frames(p);
  if (gp == CallersG()) {
    frames.SkipTo(__builtin_frame_address(0));
    UnwindCurrent(0, &AddFrame, &frames);
  } else if (gp->signal_context != nullptr) {
    UnwindSigCtx(SigCtx(gp->signal_context), &AddFrame, &frames);
  } else {
    UnwindGobuf(gp->sched, &AddFrame, &frames);
    if (frames.empty()) AddFirst(&frames, gp);
  }
  frames.Finish();
}

GORT_NO_TSAN void PrintCreatedBy(Printer& p, const G* gp) {
  if (gp->gopc == 0 || gp->goid <= 1) return;
  PrintCreator(p, gp->gopc - 1, gp->parent_goid);
}

void ReportAllGoroutines() { report_all.store(true, std::memory_order_relaxed); }

void TracebackInit() { SymbolizeInit(reinterpret_cast<uintptr_t>(&TracebackInit)); }

void TracebackOthers(Printer& p, const G* me, bool ask) {
  // One report at a time fills the array; a second one (of another thread) does without.
  static constinit std::atomic<bool> busy{false};
  static constinit G* order[kOrdered];
  G* newest = allgs.load(std::memory_order_acquire);  // pairs with: allgadd's release
  bool mine = !busy.exchange(true, std::memory_order_acquire);
  int n = 0;
  G* gp = newest;
  for (; mine && gp != nullptr && n < kOrdered; gp = gp->alllink) {
    if (Shown(gp, me)) order[n++] = gp;
  }
  if (mine && gp == nullptr) {
    while (n > 0) PrintOther(p, order[--n], ask);
  } else {
    for (gp = newest; gp != nullptr; gp = gp->alllink) {
      if (Shown(gp, me)) PrintOther(p, gp, ask);
    }
  }
  if (mine) busy.store(false, std::memory_order_release);
}

namespace {

void Report(const G* gp, const SigCtx* ctx, bool all, const void* skip_to) {
  Printer p;
  PrintCurrent(p, gp, ctx, skip_to);
  p.Flush();
  if (all || report_all.load(std::memory_order_relaxed)) TracebackOthers(p, gp, true);
}

}  // namespace

GORT_NOINLINE void FatalReport(bool all) {
  MarkDying();
  const G* gp = CallersG();
  // The scheduler itself reports a fault of the program (a deadlock): its own stack says nothing.
  if (all && (gp == nullptr || gp->goid == 0)) {
    Printer p;
    TracebackOthers(p, gp, true);
    return;
  }
  Printer() << '\n';
  Report(gp, nullptr, all, __builtin_frame_address(0));
}

GORT_NOINLINE void TracebackReport(const G* gp, const SigCtx* ctx, bool all) {
  MarkDying();
  Report(gp, ctx, all, __builtin_frame_address(0));
}

GORT_NOINLINE std::string StackText(bool all) {
  std::string text;
  // The size is known only afterwards; goroutines may come and go between two attempts.
  for (size_t room = 16 << 10;; room *= 4) {
    text.resize(room);
    Printer p(text.data(), room);
    G* gp = CallersG();
    PrintCurrent(p, gp, nullptr, __builtin_frame_address(0));
    if (all) TracebackOthers(p, gp, false);
    if (p.size() < room) {
      text.resize(p.size());
      return text;
    }
  }
}

}  // namespace gort::rt
