#include "gort/net/internal/fd_mutex.h"

#include "gort/base/attributes.h"
#include "gort/base/panic.h"
#include "gort/base/throw.h"
#include "gort/context/context.h"
#include "gort/proc/proc.h"
#include "gort/sync/internal/sem_watch.h"
#include "gort/sync/internal/sema.h"

// Orders: acquire where something is taken, release where it is given; acq_rel in DecRef and Unlock
// so that the last to leave sees what the others did.

namespace gort::rt {
namespace {

[[noreturn]] GORT_COLD void PanicOverflow() {
  throw Panic("too many concurrent operations on a single file or socket (max 1048575)");
}

}  // namespace

bool FdMutex::IncRef() {
  uint64_t old = state_.load(std::memory_order_relaxed);
  for (;;) {
    if ((old & kClosed) != 0) return false;
    if (GORT_UNLIKELY((old & kRefs) == kRefs)) PanicOverflow();
    // pairs with: DecRef
    if (state_.compare_exchange_weak(old, old + kOneRef, std::memory_order_acquire)) return true;
  }
}

bool FdMutex::DecRef() {
  const uint64_t old = state_.fetch_sub(kOneRef, std::memory_order_acq_rel);
  if (GORT_UNLIKELY((old & kRefs) == 0)) Throw("net: reference count of a descriptor below zero");
  return (old & (kClosed | kRefs)) == (kClosed | kOneRef);
}

bool FdMutex::IncRefAndClose() {
  uint64_t old = state_.load(std::memory_order_relaxed);
  constexpr Bits r = BitsOf(FdSide::kRead);
  constexpr Bits w = BitsOf(FdSide::kWrite);
  for (;;) {
    if ((old & kClosed) != 0) return false;
    if (GORT_UNLIKELY((old & kRefs) == kRefs)) PanicOverflow();
    const uint64_t closed = ((old | kClosed) + kOneRef) & ~(r.waiters | w.waiters);
    if (state_.compare_exchange_weak(old, closed, std::memory_order_acq_rel)) break;
  }
  for (uint64_t n = (old & r.waiters) / r.one_waiter; n > 0; --n) SemRelease(&read_sema_, false);
  for (uint64_t n = (old & w.waiters) / w.one_waiter; n > 0; --n) SemRelease(&write_sema_, false);
  return true;
}

FdLock FdMutex::Lock(FdSide side, const Context* ctx) {
  const Bits bits = BitsOf(side);
  uint64_t old = state_.load(std::memory_order_relaxed);
  for (;;) {
    if (GORT_UNLIKELY((old & kClosed) != 0)) return FdLock::kClosed;
    if (GORT_UNLIKELY((old & kRefs) == kRefs)) PanicOverflow();
    const bool free = (old & bits.lock) == 0;
    const uint64_t wanted = old + kOneRef + (free ? bits.lock : bits.one_waiter);
    // pairs with: Unlock
    if (!state_.compare_exchange_weak(old, wanted, std::memory_order_acquire)) continue;
    if (GORT_LIKELY(free)) return FdLock::kLocked;
    if (ctx != nullptr) return AwaitUntil(side, *ctx);
    SemWait wait;
    return Await(side, &wait);
  }
}

FdLock FdMutex::AwaitUntil(FdSide side, const Context& ctx) {
  SemWatch watch(SemaOf(side));
  if (!watch.Begin(ctx)) return GiveUp(side);
  const FdLock got = Await(side, &watch.waiter);
  watch.End();
  return got;
}

// Holds a reference and is counted as a waiter.
FdLock FdMutex::Await(FdSide side, SemWait* wait) {
  const Bits bits = BitsOf(side);
  for (;;) {
    if (!SemAcquireOr(SemaOf(side), false, WaitReason::kIoWait, wait)) return GiveUp(side);
    // The waker has taken this waiter off the count.
    uint64_t old = state_.load(std::memory_order_relaxed);
    for (;;) {
      if ((old & kClosed) != 0) return FdLock::kClosedReference;
      const bool free = (old & bits.lock) == 0;
      const uint64_t wanted = old + (free ? bits.lock : bits.one_waiter);
      if (!state_.compare_exchange_weak(old, wanted, std::memory_order_acquire)) continue;
      if (free) return FdLock::kLocked;
      break;
    }
  }
}

// Of a waiter that sleeps no more, but is counted still, or was chosen by an Unlock a moment ago.
FdLock FdMutex::GiveUp(FdSide side) {
  const Bits bits = BitsOf(side);
  uint64_t old = state_.load(std::memory_order_relaxed);
  for (;;) {
    if ((old & bits.waiters) != 0) {
      const uint64_t wanted = old - bits.one_waiter;
      if (state_.compare_exchange_weak(old, wanted, std::memory_order_relaxed)) {
        return FdLock::kGivenUp;
      }
      continue;
    }
    // The unit that an Unlock adds, or IncRefAndClose, is this waiter's. Whoever adds it counts on this
    // waiter's reference until it has done so. From an Unlock comes with it the duty to see to the lock:
    // if that is free it is taken, and the Unlock to come wakes the next; else its owner's does.
    if (!SemTryAcquire(SemaOf(side))) {
      Gosched();
    } else if (TakeIfFree(side)) {
      return FdLock::kLocked;
    } else {
      return (state_.load(std::memory_order_relaxed) & kClosed) != 0 ? FdLock::kClosedReference
                                                                     : FdLock::kGivenUp;
    }
    old = state_.load(std::memory_order_relaxed);
  }
}

bool FdMutex::TakeIfFree(FdSide side) {
  const Bits bits = BitsOf(side);
  uint64_t old = state_.load(std::memory_order_relaxed);
  while ((old & (kClosed | bits.lock)) == 0) {
    // pairs with: Unlock
    if (state_.compare_exchange_weak(old, old + bits.lock, std::memory_order_acquire)) return true;
  }
  return false;
}

bool FdMutex::Unlock(FdSide side) {
  const Bits bits = BitsOf(side);
  uint64_t old = state_.load(std::memory_order_relaxed);
  for (;;) {
    if (GORT_UNLIKELY((old & bits.lock) == 0 || (old & kRefs) == 0)) {
      Throw("net: unlock of a descriptor that is not locked");
    }
    const bool waiters = (old & bits.waiters) != 0;
    const uint64_t wanted = old - bits.lock - kOneRef - (waiters ? bits.one_waiter : 0);
    // pairs with: Lock, Await
    if (!state_.compare_exchange_weak(old, wanted, std::memory_order_acq_rel)) continue;
    // The waiter has a reference, so the semaphore is still there.
    if (waiters) SemRelease(SemaOf(side), false);
    return (wanted & (kClosed | kRefs)) == kClosed;
  }
}

}  // namespace gort::rt
