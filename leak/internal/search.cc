#include "gort/leak/internal/search.h"

#include <malloc.h>

#include <algorithm>
#include <functional>

#include "gort/base/attributes.h"
#include "gort/gmp/m.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/sudog.h"
#include "gort/leak/internal/arch.h"
#include "gort/malloc/internal/mheap.h"
#include "gort/platforms/clock.h"
#include "gort/proc/proc.h"
#include "gort/stack/internal/stack_chunk.h"

// Functions of the C library's allocator, by which its code is found. Null where it is not linked.
extern "C" {
int mallopt(int, int) __attribute__((weak));
int malloc_trim(size_t) __attribute__((weak));
void malloc_stats() __attribute__((weak));
extern char __start_gort_not_reaching[] __attribute__((weak, visibility("hidden")));
extern char __stop_gort_not_reaching[] __attribute__((weak, visibility("hidden")));
}

namespace gort::rt {
namespace {

constexpr uintptr_t kRedZone = 128;
// The allocator's code lies together; how far from one of its functions the others may be.
constexpr uintptr_t kMallocCode = uintptr_t{64} << 10;
// Registers in a signal's frame, vector state included.
constexpr uintptr_t kMostFrame = uintptr_t{32} << 10;
constexpr size_t kSmallBlock = size_t{64} << 10;

// True for a wait that nobody but the program ends.
bool EndsFromInside(WaitReason r) {
  switch (r) {
    case WaitReason::kChanReceiveNil:
    case WaitReason::kChanSendNil:
    case WaitReason::kSelect:
    case WaitReason::kSelectNoCases:
    case WaitReason::kChanReceive:
    case WaitReason::kChanSend:
    case WaitReason::kSyncCondWait:
    case WaitReason::kSyncMutexLock:
    case WaitReason::kSyncRWMutexLock:
    case WaitReason::kSyncRWMutexRLock:
    case WaitReason::kSyncWaitGroupWait:
    case WaitReason::kSyncOnce:
    case WaitReason::kSyncSemaphore:
    case WaitReason::kFutureWait:
      return true;
    default:
      return false;
  }
}

bool BySemaphore(WaitReason r) {
  return r == WaitReason::kSyncMutexLock || r == WaitReason::kSyncRWMutexLock ||
         r == WaitReason::kSyncRWMutexRLock || r == WaitReason::kSyncOnce;
}

// A main function that waits for nothing keeps the process alive, and means to.
bool MayLeak(const G* gp) {
  if (gp->foreign || gp->system || gp->stack.lo == 0 || gp->sched.sp == 0) return false;
  if (!EndsFromInside(gp->waitreason)) return false;
  if (BySemaphore(gp->waitreason) && gp->waiting == nullptr) return false;
  const bool for_nothing = gp->waitreason == WaitReason::kSelectNoCases ||
                           gp->waitreason == WaitReason::kChanReceiveNil ||
                           gp->waitreason == WaitReason::kChanSendNil;
  return !(gp->is_main && for_nothing);
}

Range Of(const void* p, size_t bytes) {
  const auto lo = reinterpret_cast<uintptr_t>(p);
  return {lo, lo + bytes};
}

// Sorts them by address, and joins those that overlap.
void Tidy(Grow<Range>* ranges) {
  std::sort(ranges->begin(), ranges->end(),
            [](const Range& a, const Range& b) { return a.lo < b.lo; });
  size_t n = 0;
  for (const Range& r : *ranges) {
    if (n > 0 && r.lo <= (*ranges)[n - 1].hi) {
      (*ranges)[n - 1].hi = std::max((*ranges)[n - 1].hi, r.hi);
    } else {
      (*ranges)[n++] = r;
    }
  }
  ranges->Resize(n);
}

}  // namespace

Search::Search(Scratch* scratch, const Grow<StoppedThread>* threads, uintptr_t key)
    : scratch_(scratch),
      threads_(threads),
      maps_(scratch),
      pages_(scratch),
      heap_(scratch, key),
      waiters_(scratch),
      others_(scratch),
      free_(scratch),
      by_g_(scratch),
      excluded_(scratch),
      stacks_(scratch),
      to_follow_(scratch) {}

SearchEnd Search::Run(G* self, uintptr_t frame, bool whole, int64_t deadline) {
  deadline_ = deadline;
  if (!to_follow_.Reserve(65536) || !ReadMaps(scratch_, &maps_)) return SearchEnd::kNoMaps;
  if (!whole && (InsideMalloc() || !mheap.AtRest())) return SearchEnd::kChanging;
  SortGs(self);
  if (waiters_.empty()) return SearchEnd::kDone;
  heap_.Find(maps_, whole);
  Exclude();
  if (scratch_->failed()) return SearchEnd::kNoMemory;
  Roots(self, frame);
  ReachByObject();
  if (too_long_) return SearchEnd::kTooLong;
  return scratch_->failed() ? SearchEnd::kNoMemory : SearchEnd::kDone;
}

// Whether a thread stands inside malloc: it may have left the headers of chunks half written.
bool Search::InsideMalloc() const {
  uintptr_t lo = UINTPTR_MAX, hi = 0;
  for (const uintptr_t f :
       {reinterpret_cast<uintptr_t>(&mallopt), reinterpret_cast<uintptr_t>(&malloc_trim),
        reinterpret_cast<uintptr_t>(&malloc_stats)}) {
    if (f == 0) return false;  // no such allocator in this program
    lo = std::min(lo, f);
    hi = std::max(hi, f);
  }
  return std::any_of(threads_->begin(), threads_->end(), [&](const StoppedThread& t) {
    return t.pc >= lo - kMallocCode && t.pc < hi + kMallocCode && !arch::InSystemCall(t.pc);
  });
}

void Search::SortGs(G* self) {
  ForEachFreeG([](G* gp, void* arg) { static_cast<Grow<G*>*>(arg)->Push(gp); }, &free_);
  std::sort(free_.begin(), free_.end());
  for (G* gp = allgs.load(std::memory_order_acquire); gp != nullptr; gp = gp->alllink) {
    const uint32_t status = ReadGStatus(gp) & ~uint32_t{kGScan};
    if (gp == self || status == kGIdle) continue;
    // A G that is dead and not free is about to be a new goroutine.
    if (status == kGDead && std::binary_search(free_.begin(), free_.end(), gp)) continue;
    if (status == kGWaiting && MayLeak(gp)) {
      waiters_.Push({gp, gp->sched.sp, gp->stack.hi, false});
    } else {
      others_.Push(gp);
    }
  }
  std::sort(waiters_.begin(), waiters_.end(),
            [](const Waiter& a, const Waiter& b) { return a.lo < b.lo; });
  for (Waiter& w : waiters_) by_g_.Push(&w);
  std::sort(by_g_.begin(), by_g_.end(),
            [](const Waiter* a, const Waiter* b) { return std::less<>()(a->g, b->g); });
  if (by_g_.empty()) return;
  gs_lo_ = reinterpret_cast<uintptr_t>(by_g_[0]->g);
  gs_hi_ = reinterpret_cast<uintptr_t>(by_g_[by_g_.size() - 1]->g + 1);
}

// Notes the ranges that RootMappings leaves out: they are searched in another way, or not at all.
void Search::Exclude() {
  auto add = [this](Range r) {
    if (r.lo < r.hi) excluded_.Push(r);
  };
  least_ = UINTPTR_MAX;
  for (const Heap::Area& a : heap_.areas()) {
    add({a.lo, a.hi});
    least_ = std::min(least_, a.lo);
    most_ = std::max(most_, a.hi);
  }
  stacks_lo_ = UINTPTR_MAX;
  for (const Waiter& w : waiters_) {
    stacks_lo_ = std::min(stacks_lo_, w.lo);
    stacks_hi_ = std::max(stacks_hi_, w.hi);
  }
  least_ = std::min(least_, stacks_lo_);
  most_ = std::max(most_, stacks_hi_);
  for (StackChunk* c = AllStackChunks(); c != nullptr; c = c->all_next) {
    add({reinterpret_cast<uintptr_t>(c), c->Slot(c->end)});
  }
  // Gs lie one beside the other.
  Range gs{};
  for (const G* gp = allgs.load(std::memory_order_relaxed); gp != nullptr; gp = gp->alllink) {
    const Range g = Of(gp, sizeof *gp);
    if (gp->stack.lo != 0 && !gp->foreign) stacks_.Push({gp->stack.lo, gp->stack.hi});
    if (gs.lo == g.hi) {
      gs.lo = g.lo;
    } else if (gs.hi == g.lo) {
      gs.hi = g.hi;
    } else {
      add(gs);
      gs = g;
    }
  }
  add(gs);
  for (const M* mp = allm.load(std::memory_order_relaxed); mp != nullptr; mp = mp->alllink) {
    if (mp->stack_base != 0) add({mp->g0->stack.lo, mp->stack_base});
    if (mp->gsignal != nullptr) add({mp->gsignal->stack.lo, mp->gsignal->stack.hi});
  }
  for (int i = 0; i < scratch_->size(); ++i) add((*scratch_)[i]);
  add({reinterpret_cast<uintptr_t>(__start_gort_not_reaching),
       reinterpret_cast<uintptr_t>(__stop_gort_not_reaching)});
  Tidy(&stacks_);
  for (const Range& r : stacks_) add(r);
  Tidy(&excluded_);
}

uintptr_t Search::MappingEnd(uintptr_t p) const {
  for (const Mapping& m : maps_) {
    if (p >= m.lo && p < m.hi) return m.readable ? m.hi : p;
  }
  return p;
}

// ---- roots ----

void Search::Roots(G* self, uintptr_t frame) {
  Scan(frame, self->stack.hi);
  Scan(reinterpret_cast<uintptr_t>(self), reinterpret_cast<uintptr_t>(self + 1));
  for (G* gp : others_) RootG(gp);
  for (const StoppedThread& t : *threads_) RootThread(t);
  RootStacks();
  RootMappings();
  Follow();
}

// Where the frames of gp begin. gp does not wait, or waits for something outside of the program.
uintptr_t Search::FrameOf(const G* gp) const {
  auto on_stack = [gp](uintptr_t p) { return p >= gp->stack.lo && p < gp->stack.hi; };
  for (const StoppedThread& t : *threads_) {
    if (on_stack(t.sp)) return std::max(gp->stack.lo, t.sp - kRedZone);
  }
  const uint32_t status = ReadGStatus(gp) & ~uint32_t{kGScan};
  const bool saved = status == kGWaiting || status == kGRunnable;
  if (saved && on_stack(gp->sched.sp)) return gp->sched.sp;
  return gp->stack.lo;
}

void Search::RootG(G* gp) {
  Scan(reinterpret_cast<uintptr_t>(gp), reinterpret_cast<uintptr_t>(gp + 1));
  if (gp->foreign || gp->stack.lo == 0) return;
  ScanUsed(FrameOf(gp), gp->stack.hi, false);
  if ((ReadGStatus(gp) & ~uint32_t{kGScan}) == kGWaiting) return;
  pages_.ForEachUsed(FrameOf(gp), gp->stack.hi, false,
                     [this](uintptr_t a, uintptr_t b) { SeeGs(a, b); });
}

// The registers of the thread are roots. A stack that is no goroutine's is a root with its mapping.
void Search::RootThread(const StoppedThread& t) {
  const M* mp = t.g != nullptr ? t.g->m : nullptr;
  if (mp != nullptr && t.g == mp->g0 && !t.g->foreign) return;  // the scheduler's
  See(t.sp);
  uintptr_t end = std::min(MappingEnd(t.frame), t.frame + kMostFrame);
  if (mp != nullptr && mp->gsignal != nullptr && mp->gsignal->stack.Contains(t.frame)) {
    end = mp->gsignal->stack.hi;
  }
  Scan(t.frame, end);
  SeeGs(t.frame, end);
  if (mp != nullptr && t.g->foreign && ReadGStatus(t.g) != kGWaiting) WakersOf(t);
}

// Reaches the waiters whose Gs words of [lo, hi) point at. A thread may have been stopped between
// taking a waiter off a list and waking it: then the address of the G is all that leads to the
// waiter.
GORT_NO_ASAN GORT_NO_TSAN void Search::SeeGs(uintptr_t lo, uintptr_t hi) {
  for (uintptr_t p = (lo + 7) & ~uintptr_t{7}; p + 8 <= hi; p += 8) {
    const uintptr_t word = *reinterpret_cast<const uintptr_t*>(p);
    if (word - gs_lo_ >= gs_hi_ - gs_lo_) continue;
    if (Waiter* w = WaiterOf(word); w != nullptr) Reach(w);
  }
}

Search::Waiter* Search::WaiterOf(uintptr_t g) {
  Waiter** at = std::upper_bound(by_g_.begin(), by_g_.end(), g, [](uintptr_t v, const Waiter* w) {
    return v < reinterpret_cast<uintptr_t>(w->g);
  });
  if (at == by_g_.begin()) return nullptr;
  Waiter* w = *(at - 1);
  return g < reinterpret_cast<uintptr_t>(w->g + 1) ? w : nullptr;
}

// Reaches the waiters whose Gs the stack of a foreign thread names.
void Search::WakersOf(const StoppedThread& t) {
  const uintptr_t lo = std::min(t.frame, t.sp - kRedZone);
  const bool same = MappingEnd(t.frame) == MappingEnd(t.sp);
  pages_.ForEachUsed(same ? lo : t.sp - kRedZone, MappingEnd(t.sp), false,
                     [this](uintptr_t a, uintptr_t b) { SeeGs(a, b); });
}

void Search::RootMappings() {
  size_t i = 0;
  for (const Mapping& m : maps_) {
    // What cannot be written holds no pointer to what came later, unless somebody forbade it then.
    const bool may = m.readable && (m.writable || m.kind == MapKind::kAnonymous);
    if (!may || m.kind == MapKind::kOther) continue;
    uintptr_t lo = m.lo;
    if (m.kind == MapKind::kStack) {
      for (const StoppedThread& t : *threads_) {
        if (t.sp < m.lo || t.sp >= m.hi) continue;
        const bool here = t.frame >= m.lo && t.frame < t.sp;
        lo = std::max(m.lo, here ? t.frame : t.sp - kRedZone);
      }
    }
    while (i < excluded_.size() && excluded_[i].hi <= lo) ++i;
    for (size_t j = i; lo < m.hi; ++j) {
      const uintptr_t hi = j < excluded_.size() ? std::min(m.hi, excluded_[j].lo) : m.hi;
      if (lo < hi) RootPart(m, lo, hi);
      if (j == excluded_.size() || excluded_[j].lo >= m.hi) break;
      lo = std::max(lo, excluded_[j].hi);
    }
  }
}

void Search::RootPart(const Mapping& m, uintptr_t lo, uintptr_t hi) {
  ScanUsed(lo, hi, m.shared, m.libc);
}

// Stacks that are in use, and not by a goroutine: gort::stack::Alloc is for everybody.
void Search::RootStacks() {
  for (const StackChunk* c = AllStackChunks(); c != nullptr; c = c->all_next) {
    for (uint32_t i = c->first; i < c->end; ++i) {
      if (c->free.Has(i)) continue;
      if (c->order == kSpanOrder) {
        RootBut(c->Slot(i), c->Slot(i) + c->slot_bytes);
      } else {
        RootBut(c->Bounds(i).lo, c->Bounds(i).hi);
      }
    }
  }
}

// [lo, hi) without the stacks of goroutines.
void Search::RootBut(uintptr_t lo, uintptr_t hi) {
  const Range* r = std::upper_bound(stacks_.begin(), stacks_.end(), lo,
                                    [](uintptr_t v, const Range& s) { return v < s.hi; });
  for (; lo < hi; ++r) {
    const bool none = r == stacks_.end() || r->lo >= hi;
    ScanUsed(lo, none ? hi : std::max(lo, r->lo), false);
    if (none) return;
    lo = r->hi;
  }
}

// ---- the mark ----

GORT_NO_ASAN GORT_NO_TSAN void Search::Scan(uintptr_t lo, uintptr_t hi, bool of_libc) {
  if (hi <= lo) return;
  bytes_ += hi - lo;
  for (uintptr_t p = (lo + 7) & ~uintptr_t{7}; p + 8 <= hi; p += 8) {
    uintptr_t word = *reinterpret_cast<const uintptr_t*>(p);
    if (GORT_UNLIKELY(word >> 48 != 0)) word &= (uintptr_t{1} << 48) - 1;  // it may have a tag
    if (word - least_ >= most_ - least_) continue;
    if (of_libc && heap_.HeaderAt(word)) continue;
    See(word);
  }
}

void Search::ScanUsed(uintptr_t lo, uintptr_t hi, bool shared, bool of_libc) {
  pages_.ForEachUsed(lo, hi, shared, [&](uintptr_t a, uintptr_t b) {
    constexpr uintptr_t kPart = uintptr_t{1} << 20;
    for (; a < b && !too_long_; a += kPart) {
      Scan(a, std::min(a + kPart, b), of_libc);
      too_long_ = Nanotime() > deadline_;
    }
  });
}

void Search::See(uintptr_t word) {
  if (word >= stacks_lo_ && word < stacks_hi_) {
    if (Waiter* w = WaiterAt(word); w != nullptr) {
      if (!w->reached) Reach(w);
      return;
    }
  }
  const Heap::Block b = heap_.BlockAt(word);
  if (b.area != nullptr && heap_.Mark(b)) to_follow_.Push({b.lo, b.hi});
}

Search::Waiter* Search::WaiterAt(uintptr_t p) {
  Waiter* at = std::upper_bound(waiters_.begin(), waiters_.end(), p,
                                [](uintptr_t v, const Waiter& w) { return v < w.lo; });
  return at == waiters_.begin() || p >= (at - 1)->hi ? nullptr : at - 1;
}

// Marks w, and the waiters behind it if it is in a list of Gs that are about to be woken.
void Search::Reach(Waiter* w) {
  while (w != nullptr && !w->reached) {
    w->reached = true;
    to_follow_.Push(Of(w->g, sizeof *w->g));
    to_follow_.Push({w->lo, w->hi});
    w = WaiterOf(reinterpret_cast<uintptr_t>(w->g->schedlink));
  }
}

void Search::Follow() {
  while (!to_follow_.empty() && !too_long_) {
    const Range r = to_follow_.Pop();
    if (r.hi - r.lo < kSmallBlock) {
      Scan(r.lo, r.hi);
    } else {
      ScanUsed(r.lo, r.hi, false);
    }
  }
}

// ---- by what they wait for ----

bool Search::AddressReached(const Waiter& w, uintptr_t p) {
  if (const Waiter* on = WaiterAt(p); on != nullptr) return on != &w && on->reached;
  const Heap::Block b = heap_.BlockAt(p);
  return b.area == nullptr || heap_.Marked(b);  // static, or in memory that was searched as a whole
}

bool Search::ObjectReached(const Waiter& w) {
  switch (w.g->waitreason) {
    case WaitReason::kSelect:
      for (const Sudog* s = w.g->waiting; s != nullptr; s = s->waitlink) {
        if (AddressReached(w, reinterpret_cast<uintptr_t>(s->c))) return true;
      }
      return false;
    case WaitReason::kChanReceive:
    case WaitReason::kChanSend:
    case WaitReason::kSyncCondWait:
    case WaitReason::kSyncWaitGroupWait:
    case WaitReason::kSyncSemaphore:
      return w.g->waitlock != nullptr &&
             AddressReached(w, reinterpret_cast<uintptr_t>(w.g->waitlock));
    case WaitReason::kSyncMutexLock:
    case WaitReason::kSyncRWMutexLock:
    case WaitReason::kSyncRWMutexRLock:
    case WaitReason::kSyncOnce:
      return AddressReached(w, reinterpret_cast<uintptr_t>(w.g->waiting->elem));
    default:
      return false;  // an address on its stack is the only way
  }
}

void Search::ReachByObject() {
  for (bool more = true; more && !too_long_;) {
    more = false;
    for (Waiter& w : waiters_) {
      if (w.reached || !ObjectReached(w)) continue;
      Reach(&w);
      Follow();
      more = true;
    }
    too_long_ = too_long_ || Nanotime() > deadline_;
  }
}

}  // namespace gort::rt
