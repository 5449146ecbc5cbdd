// The signal stack of an M.
#include <new>

#include "gort/base/bits.h"
#include "gort/gmp/sched.h"
#include "gort/platforms/mem.h"
#include "gort/platforms/signal.h"
#include "gort/signals/sig_table.h"
#include "gort/signals/signals.h"

namespace gort::rt {
namespace {

// [ guard page | stack | Top ]: one mapping per M, never given back, as the M itself.
struct Top {
  G g;
  // The thread's signal stack before ours (a sanitizer's, for one). Owner M only.
  void* old_lo = nullptr;
  size_t old_bytes = 0;
};

Top* TopOf(const M* mp) { return reinterpret_cast<Top*>(mp->gsignal); }

void Map(M* mp) {
  size_t page = PageSize();
  size_t bytes = page + AlignUp(SigStackBytes() + sizeof(Top), page);
  char* p = static_cast<char*>(MemMap(bytes, page));
  if (p == nullptr) MemExhausted("signal stack", bytes);
  if (!MemGuardInstall(p, page)) MemProtectNone(p, page);  // if both fail: no guard
  Top* top = ::new (p + bytes - AlignUp(sizeof(Top), alignof(Top))) Top;
  top->g.stack = {reinterpret_cast<uintptr_t>(p + page), reinterpret_cast<uintptr_t>(top)};
  top->g.atomicstatus.store(kGRunning, std::memory_order_relaxed);
  mp->gsignal = &top->g;
}

}  // namespace

// Go: minitSignalMask
SigSet MSignalMask() {
  SigSet mask = m0.sigmask;
  for (const SigEntry& e : kSigTable) {
    if ((e.flags & kSigUnblock) != 0) sigdelset(&mask, e.sig);
  }
  return mask;
}

void MInitSignalStack(M* mp) {
  if (mp->gsignal == nullptr) Map(mp);
  G* gsignal = mp->gsignal;
  gsignal->m = mp;
  Top* top = TopOf(mp);
  SigStackGet(&top->old_lo, &top->old_bytes);
  SigStackSet(reinterpret_cast<void*>(gsignal->stack.lo), gsignal->stack.hi - gsignal->stack.lo);
  SigRestore(MSignalMask());
}

void MDropSignalStack(M* mp) {
  if (mp->gsignal == nullptr) return;
  // No signal may come in between: its handler would take the old stack for ours.
  SigSet before;
  SigBlockAll(&before);
  Top* top = TopOf(mp);
  SigStackSet(top->old_lo, top->old_bytes);
}

}  // namespace gort::rt
