// Where every goroutine is.
#include "gort/base/attributes.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/sched.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/sigctx.h"
#include "gort/proc/proc.h"
#include "gort/profile/internal/encode.h"
#include "gort/profile/internal/stack_table.h"
#include "gort/profile/internal/stacks.h"
#include "gort/traceback/unwind.h"

namespace gort::rt {
namespace {

struct Stack {
  int n = 0;
  uintptr_t pcs[kMaxStack];
};

bool Note(const Frame& frame, void* arg) {
  auto* s = static_cast<Stack*>(arg);
  if (s->n == kMaxStack) return false;
  s->pcs[s->n++] = frame.lookup_pc();
  return true;
}

void NoteFirst(const G* gp, Stack* s) {
  Note({reinterpret_cast<uintptr_t>(gp->entry), 0, true}, s);
}

// Notes the frames of gp, which cannot run meanwhile.
void Walk(G* gp, Stack* s) {
  if (gp->signal_context != nullptr) {
    UnwindSigCtx(SigCtx(gp->signal_context), &Note, s);
  } else {
    UnwindGobuf(gp->sched, &Note, s);
  }
  if (s->n == 0) NoteFirst(gp, s);
}

bool Counts(const G* gp, uint32_t status) {
  return status != kGDead && status != kGIdle && gp->goid != 0 && !gp->system;
}

// The world is stopped, but a goroutine in a system call, or one that goes on without a P, is not:
// the profile has its first function alone.
GORT_NO_TSAN void Add(G* gp, StackTable* table) {
  const uint32_t status = ReadGStatus(gp) & ~uint32_t{kGScan};
  if (!Counts(gp, status)) return;
  Stack s;
  LabelSet* labels = nullptr;
  const bool fresh = IsGFresh(gp);
  const bool stopped = status == kGWaiting || status == kGRunnable || status == kGPreempted;
  if (gp == Getg()) {
    s.n = Callers(1, s.pcs, kMaxStack);
    labels = gp->labels.load(std::memory_order_relaxed);
  } else if (!fresh && stopped && CasToGScanStatus(gp, status)) {
    Walk(gp, &s);
    labels = gp->labels.load(std::memory_order_relaxed);
    if (StackSums* sums = table->Find(s.pcs, s.n, labels)) sums->Add(0, 1);
    CasFromGScanStatus(gp, status | kGScan);
    return;
  } else if (gp->entry != nullptr) {
    NoteFirst(gp, &s);
    if (fresh) labels = gp->labels.load(std::memory_order_relaxed);
  }
  if (StackSums* sums = table->Find(s.pcs, s.n, labels)) sums->Add(0, 1);
}

}  // namespace

std::string GoroutineProfile() {
  StackTable table;
  StopTheWorld(WaitReason::kStoppingTheWorld);
  // pairs with: allgadd's release
  for (G* gp = allgs.load(std::memory_order_acquire); gp != nullptr; gp = gp->alllink)
    Add(gp, &table);
  StartTheWorld();
  ProfileForm form{{{"goroutine", "count"}}, {"goroutine", "count"}};
  form.period = 1;
  form.begin_ns = Walltime();
  form.only_callers = true;
  std::string out = EncodeProfile(table, form);
  table.Clear();
  return out;
}

}  // namespace gort::rt
