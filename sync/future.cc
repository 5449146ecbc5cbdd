#include "gort/sync/future.h"

#include "gort/base/panic.h"
#include "gort/context/internal/watch.h"
#include "gort/proc/proc.h"
#include "gort/sync/internal/waking.h"

// Between the goroutine, the call that waits, and a cancellation stands one word. The goroutine
// exchanges it for kReady, once. A call that waits puts its Waking there, and a cancellation takes it
// out again: whoever finds the Waking in the word wakes it, and nobody else does.

namespace gort::rt {

void FutureState::Publish() {
  // acq_rel pairs with: Ready, Wait, Done
  const uintptr_t before = word_.exchange(kReady, std::memory_order_acq_rel);
  if (before == kRunning) return;
  if (before == kWatched) return done_.Close();
  if (G* gp = reinterpret_cast<Waking*>(before)->Wake()) GoReady(gp);
}

bool FutureState::Put(Waking* w) {
  uintptr_t running = kRunning;
  // pairs with: Publish
  return word_.compare_exchange_strong(running, reinterpret_cast<uintptr_t>(w),
                                       std::memory_order_acq_rel, std::memory_order_acquire);
}

bool FutureState::TakeOut(Waking* w) {
  auto mine = reinterpret_cast<uintptr_t>(w);
  // pairs with: Put
  return word_.compare_exchange_strong(mine, kRunning, std::memory_order_acq_rel,
                                       std::memory_order_acquire);
}

G* FutureState::GiveUp(Waking* w) { return TakeOut(w) ? w->Wake() : nullptr; }

void FutureState::Wait() {
  if (Ready()) return;
  if (done_) {
    done_.Recv();
    return;
  }
  Waking w;
  if (Put(&w)) w.Await(WaitReason::kFutureWait);
}

absl::Status FutureState::Wait(const Context& ctx) {
  if (Ready()) return absl::OkStatus();
  if (done_) {
    Select(OnRecv(done_), OnRecv(ctx.Done()));
    return Ready() ? absl::OkStatus() : ctx.Err();
  }
  WaitWatch<FutureState, Waking, &FutureState::GiveUp> watch(this);
  Waking* w = &watch.waiter;
  if (!Put(w)) return absl::OkStatus();
  const bool watching = watch.Begin(ctx);
  if (watching || !TakeOut(w)) w->Await(WaitReason::kFutureWait);
  if (watching) watch.End();
  return Ready() ? absl::OkStatus() : ctx.Err();
}

RecvChan<Unit> FutureState::Done() {
  if (done_) return done_;
  done_ = MakeChan<Unit>();
  uintptr_t running = kRunning;
  // pairs with: Publish
  if (!word_.compare_exchange_strong(running, kWatched, std::memory_order_acq_rel,
                                     std::memory_order_acquire)) {
    done_.Close();
  }
  return done_;
}

void PanicNoFuture() { throw Panic("future: no result to wait for"); }
void PanicFutureGoexit() { throw Panic("future: the goroutine ended by Goexit"); }

}  // namespace gort::rt
