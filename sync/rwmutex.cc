#include "gort/sync/rwmutex.h"

#include "gort/base/attributes.h"
#include "gort/base/throw.h"
#include "gort/context/context.h"
#include "gort/platforms/clock.h"
#include "gort/proc/proc.h"
#include "gort/sync/internal/sem_watch.h"
#include "gort/sync/internal/sema.h"

// A writer announces itself by taking kMaxReaders off the count of readers: from then on readers
// see a negative count and wait. What the count was tells how many readers must leave first; each
// of them takes one off departing_, and the one that takes the last wakes the writer. departing_
// may go below zero for a moment, when readers leave before the writer has added their number.
//
// Departures serve those who give up. A writer learns from them, in the step in which it takes its
// announcement back, how many of the readers it found are inside still: the others that are counted
// came later and wait, and are let in. A reader learns that the count it looked at is still that of
// the same writer. Who waits for a unit of reader_sem_ is as good as anybody else who does: a reader
// that takes one is counted as inside, whoever the writer that added it meant.
//
// The orders are all sequentially consistent: the counters form one protocol.

namespace gort {
namespace {

constexpr int32_t kMaxReaders = 1 << 30;

// False: *wait was ended first.
bool Wait(std::atomic<uint32_t>* sem, rt::WaitReason reason, rt::SemWait* wait) {
  const int64_t since = rt::Nanotime();
  const bool got = rt::SemAcquireOr(sem, /*lifo=*/false, reason, wait);
  rt::CountMutexWait(rt::Nanotime() - since);
  return got;
}

// The same until ctx ends; false also if that is over already.
bool WaitUntil(const Context& ctx, std::atomic<uint32_t>* sem, rt::WaitReason reason) {
  rt::SemWatch watch(sem);
  if (!watch.Begin(ctx)) return false;
  const bool got = Wait(sem, reason, &watch.waiter);
  watch.End();
  return got;
}

// Takes a unit that another has promised, and is about to add.
void TakePromised(std::atomic<uint32_t>* sem) {
  while (!rt::SemTryAcquire(sem)) rt::Gosched();
}

}  // namespace

uint32_t RWMutex::Departures(uint64_t state) {
  return static_cast<uint32_t>((state - static_cast<uint64_t>(int64_t{Count(state)})) >> 32);
}

GORT_NOINLINE void RWMutex::RLockSlow() {
  rt::SemWait wait;
  Wait(&reader_sem_, rt::WaitReason::kSyncRWMutexRLock, &wait);
}

absl::Status RWMutex::RLock(const Context& ctx) {
  copied_.Use("sync.RWMutex is copied");
  if (absl::Status err = ctx.Err(); !err.ok()) return err;
  if (Count(state_.fetch_add(kOneReader)) >= 0) return absl::OkStatus();
  if (WaitUntil(ctx, &reader_sem_, rt::WaitReason::kSyncRWMutexRLock)) return absl::OkStatus();
  return GiveUpReading() ? absl::OkStatus() : ctx.Err();
}

// For a reader that is counted, sleeps no more, and would leave. True: it has been let in
// meanwhile.
bool RWMutex::GiveUpReading() {
  for (;;) {
    uint64_t s = state_.load();
    if (rt::SemTryAcquire(&reader_sem_)) return true;
    // Without a writer everybody who is counted has been let in, and the unit is on its way. With one,
    // all units of earlier writers have been taken, and this one has added none as long as the
    // departures are the same.
    if (Count(s) >= 0) {
      rt::Gosched();
    } else if (state_.compare_exchange_strong(s, s - kOneReader)) {
      return false;
    }
  }
}

bool RWMutex::TryRLock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  copied_.Use("sync.RWMutex is copied");
  uint64_t s = state_.load();
  while (Count(s) >= 0) {
    if (state_.compare_exchange_weak(s, s + kOneReader)) return true;
  }
  return false;
}

GORT_NOINLINE void RWMutex::RUnlockSlow(int32_t n) {
  if (n == 0 || n == -kMaxReaders) rt::Fatal("sync: RUnlock of unlocked RWMutex");
  // The writer waits for the readers, so the object stays until the last of them has woken it.
  if (departing_.fetch_sub(1) == 1) rt::SemRelease(&writer_sem_, /*handoff=*/false);
}

void RWMutex::Lock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  copied_.Use("sync.RWMutex is copied");
  writers_.LockFor(rt::WaitReason::kSyncRWMutexLock);
  const int32_t active = Count(state_.fetch_sub(kMaxReaders));
  if (active != 0 && departing_.fetch_add(active) + active != 0) {
    rt::SemWait wait;
    Wait(&writer_sem_, rt::WaitReason::kSyncRWMutexLock, &wait);
  }
}

absl::Status RWMutex::Lock(const Context& ctx) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  copied_.Use("sync.RWMutex is copied");
  if (absl::Status s = writers_.Lock(ctx); !s.ok()) return s;
  const uint64_t announced = state_.fetch_sub(kMaxReaders);
  const int32_t active = Count(announced);
  if (active == 0 || departing_.fetch_add(active) + active == 0) return absl::OkStatus();
  if (WaitUntil(ctx, &writer_sem_, rt::WaitReason::kSyncRWMutexLock)) return absl::OkStatus();
  return GiveUpWriting(announced) ? absl::OkStatus() : ctx.Err();
}

// Of a writer that has announced itself and sleeps no more. True: it has been let in, at the same
// moment. announced: the state until then.
bool RWMutex::GiveUpWriting(uint64_t announced) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  uint64_t s = state_.load();
  int32_t inside;
  do {
    const uint32_t left = Departures(s) - Departures(announced);
    inside = Count(announced) - static_cast<int32_t>(left);
    if (inside == 0) {
      TakePromised(&writer_sem_);
      return true;
    }
  } while (!state_.compare_exchange_weak(s, s + kMaxReaders + kOneDeparture));
  // Readers that leave from here on do not look at departing_. Some that left before may still be
  // about to, and the last of them adds a unit, which nobody else waits for.
  if (departing_.fetch_sub(inside) != inside) TakePromised(&writer_sem_);
  LetIn(Count(s) + kMaxReaders - inside);
  writers_.Unlock();
  return false;
}

bool RWMutex::TryLock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  copied_.Use("sync.RWMutex is copied");
  if (!writers_.TryLock()) return false;
  uint64_t s = state_.load();
  while (Count(s) == 0) {
    if (state_.compare_exchange_weak(s, s - kMaxReaders)) return true;
  }
  writers_.Unlock();
  return false;
}

void RWMutex::Unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  copied_.Use("sync.RWMutex is copied");
  const int32_t waiting = Count(state_.fetch_add(kMaxReaders + kOneDeparture)) + kMaxReaders;
  if (waiting >= kMaxReaders) rt::Fatal("sync: Unlock of unlocked RWMutex");
  LetIn(waiting);
  writers_.Unlock();
}

void RWMutex::LetIn(int32_t readers) {
  for (int32_t i = 0; i < readers; ++i) rt::SemRelease(&reader_sem_, /*handoff=*/false);
}

}  // namespace gort
