#include "gort/tests/leak/plants.h"

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gort/base/attributes.h"
#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/context/context.h"
#include "gort/malloc/malloc.h"
#include "gort/runtime.h"
#include "gort/sync/cond.h"
#include "gort/sync/err_group.h"
#include "gort/sync/future.h"
#include "gort/sync/mutex.h"
#include "gort/sync/once.h"
#include "gort/sync/rwmutex.h"
#include "gort/sync/semaphore.h"
#include "gort/sync/wait_group.h"
#include "gort/timer/sleep.h"
#include "gort/timer/timer.h"

namespace planted {

// Keeps the call before it from being the function's last, which a compiler makes a jump.
GORT_ALWAYS_INLINE void End() { asm volatile(""); }

using namespace gort;  // NOLINT(google-build-using-namespace): programs do

// ---- channels ----

GORT_NOINLINE void MissedClose() {
  Chan<int> lines = MakeChan<int>(4);
  Go([lines] {
    for (int line : lines) static_cast<void>(line);
  });
  for (int i = 0; i < 3; ++i) lines.Send(i);
}

GORT_NOINLINE void EarlyReturn() {
  Chan<int> results = MakeChan<int>();
  for (int i = 0; i < 2; ++i) Go([results, i] { results.Send(i); });
  results.Recv();  // and returns at the first error
}

GORT_NOINLINE void NilChannel() {
  Go([] { Chan<int>().Recv(); });
  End();
}

GORT_NOINLINE void NilChannelSend() {
  Go([] { Chan<int>().Send(1); });
  End();
}

GORT_NOINLINE void DoubleSend() {
  Chan<std::string> answer = MakeChan<std::string>();
  Go([answer] {
    answer.Send("error");
    answer.Send("and the result, without a return between them");
  });
  answer.Recv();
}

GORT_NOINLINE void GoneConsumer() {
  Chan<int> numbers = MakeChan<int>();
  Go([numbers] {
    for (int i = 0;; ++i) numbers.Send(i);
  });
  for (int n : numbers) {
    if (n == 3) break;
  }
}

GORT_NOINLINE void ResultAfterTimeout() {
  Chan<int> result = MakeChan<int>();
  Go([result] {
    Sleep(absl::Milliseconds(5));
    result.Send(42);
  });
  Select(OnRecv(result, [](std::optional<int>) {}),
         OnRecv(After(absl::Milliseconds(1)), [](std::optional<absl::Time>) {}));
}

GORT_NOINLINE void NoReadyPeers() {
  Chan<int> in = MakeChan<int>(), out = MakeChan<int>();
  Go([in, out] { Select(OnRecv(in, [](std::optional<int>) {}), OnSend(out, 1)); });
}

GORT_NOINLINE void SelectForever() {
  Go([] { Select(); });
  End();
}

GORT_NOINLINE void LoopWithoutQuit() {
  struct Service {
    Chan<int> work = MakeChan<int>(1);
    Chan<Unit> quit = MakeChan<Unit>();
  };
  auto service = std::make_shared<Service>();
  Go([service] {
    for (bool on = true; on;) {
      Select(OnRecv(service->work, [](std::optional<int>) {}),
             OnRecv(service->quit, [&](std::optional<Unit>) { on = false; }));
    }
  });
  service->work.Send(1);
}

GORT_NOINLINE void FullBuffer() {
  Chan<int> log = MakeChan<int>(2);
  Go([log] {
    for (int i = 0; i < 3; ++i) log.Send(i);
  });
}

GORT_NOINLINE void PoolNeverClosed() {
  Chan<std::vector<int>> jobs = MakeChan<std::vector<int>>(8);
  for (int i = 0; i < 3; ++i) {
    Go([jobs] {
      while (jobs.Recv()) {
      }
    });
  }
  jobs.Send({1, 2, 3});
}

// Each holds what the other waits for.
GORT_NOINLINE void EachOther() {
  Chan<int> a = MakeChan<int>(), b = MakeChan<int>();
  Go([a, b] {
    a.Recv();
    b.Send(1);
  });
  Go([a, b] {
    b.Recv();
    a.Send(1);
  });
}

// A channel that is an element of itself.
GORT_NOINLINE void OwnElement() {
  struct Node {
    Chan<std::shared_ptr<Node>> next = MakeChan<std::shared_ptr<Node>>(1);
  };
  auto node = std::make_shared<Node>();
  node->next.Send(node);
  Go([node] { node->next.Send(node); });
}

// ---- contexts ----

GORT_NOINLINE void ForgottenCancel() {
  auto [ctx, cancel] = WithCancel(Background());
  Go([ctx = ctx] { ctx.Done().Recv(); });
}

GORT_NOINLINE void ParentNeverCancelled() {
  auto [parent, cancel] = WithCancel(Background());
  auto [ctx, cancel_child] = WithCancel(parent);
  Go([ctx = ctx] { ctx.Done().Recv(); });
}

// ---- locks and groups ----

GORT_NOINLINE void LostDone() {
  auto wg = std::make_shared<WaitGroup>();
  wg->Add(2);
  Go([wg] { wg->Done(); });
  Go([wg] { wg->Wait(); });
}

// The group lies in the frame of who waits for it.
GORT_NOINLINE void NeverDoneInside() {
  WaitGroup wg;
  Chan<int> never = MakeChan<int>();
  wg.Go([never] { never.Recv(); });
  wg.Wait();
}
GORT_NOINLINE void NeverDone() {
  Go(&NeverDoneInside);
  End();
}

// What nobody gives up again.
template <class M>
void KeepLocked(M& mu) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  mu.Lock();
}
template <class M>
void KeepRLocked(M& mu) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  mu.RLock();
}

GORT_NOINLINE void LockedByTheDead() {
  auto mu = std::make_shared<Mutex>();
  KeepLocked(*mu);
  Go([mu] { KeepLocked(*mu); });
}

GORT_NOINLINE void NeverSignalled() {
  struct Queue {
    Mutex mu;
    Cond filled{mu};
    bool full = false;
  };
  auto queue = std::make_shared<Queue>();
  Go([queue] {
    queue->mu.Lock();
    while (!queue->full) queue->filled.Wait();
    queue->mu.Unlock();
  });
}

GORT_NOINLINE void NotReleased() {
  auto places = std::make_shared<Semaphore>(1);
  places->Acquire();
  Go([places] { places->Acquire(); });
}

GORT_NOINLINE void ReaderNeverLeaves() {
  auto mu = std::make_shared<RWMutex>();
  KeepRLocked(*mu);
  Go([mu] { KeepLocked(*mu); });
}

GORT_NOINLINE void WriterNeverLeaves() {
  auto mu = std::make_shared<RWMutex>();
  KeepLocked(*mu);
  Go([mu] { KeepRLocked(*mu); });
}

GORT_NOINLINE void OnceNeverEnds() {
  auto once = std::make_shared<Once>();
  Chan<int> never = MakeChan<int>();
  for (int i = 0; i < 2; ++i) {
    Go([once, never] { once->Do([&] { never.Recv(); }); });
  }
}

GORT_NOINLINE void GroupThatWaitsInside() {
  ErrGroup group;
  Chan<int> never = MakeChan<int>();
  group.Go([never] {
    never.Recv();
    return absl::OkStatus();
  });
  group.Go([] { return absl::CancelledError("early"); });
  static_cast<void>(group.Wait());
}
GORT_NOINLINE void GroupThatWaits() {
  Go(&GroupThatWaitsInside);
  End();
}

GORT_NOINLINE void FutureNeverReadyInside() {
  Chan<int> never = MakeChan<int>();
  auto future = Spawn([never] { return never.Recv().value_or(0); });
  future.Get();
}
GORT_NOINLINE void FutureNeverReady() {
  Go(&FutureNeverReadyInside);
  End();
}

// The channel's address stands in a block of gort's heap that was freed, and nowhere else. No other block
// of that size is wanted, so it stays free.
GORT_NOINLINE void LedToByAFreeBlock() {
  Chan<int> c = MakeChan<int>();
  auto* block = static_cast<volatile uintptr_t*>(malloc::Alloc(20'000));
  uintptr_t address;
  std::memcpy(&address, &c, sizeof address);
  for (int i = 2; i < 100; ++i) block[i] = address;
  malloc::Free(const_cast<uintptr_t*>(block));
  Go([c] { c.Recv(); });
}

namespace {

constexpr Plant kPlants[] = {
    {"MissedClose", &MissedClose, 1, "chan receive"},
    {"EarlyReturn", &EarlyReturn, 1, "chan send"},
    {"NilChannel", &NilChannel, 1, "chan receive (nil chan)"},
    {"NilChannelSend", &NilChannelSend, 1, "chan send (nil chan)"},
    {"DoubleSend", &DoubleSend, 1, "chan send"},
    {"GoneConsumer", &GoneConsumer, 1, "chan send"},
    {"ResultAfterTimeout", &ResultAfterTimeout, 1, "chan send"},
    {"NoReadyPeers", &NoReadyPeers, 1, "select"},
    {"SelectForever", &SelectForever, 1, "select (no cases)"},
    {"LoopWithoutQuit", &LoopWithoutQuit, 1, "select"},
    {"FullBuffer", &FullBuffer, 1, "chan send"},
    {"PoolNeverClosed", &PoolNeverClosed, 3, "chan receive"},
    {"EachOther", &EachOther, 2, "chan receive"},
    {"OwnElement", &OwnElement, 1, "chan send"},
    {"ForgottenCancel", &ForgottenCancel, 1, "chan receive"},
    {"ParentNeverCancelled", &ParentNeverCancelled, 1, "chan receive"},
    {"LostDone", &LostDone, 1, "sync.WaitGroup.Wait"},
    {"NeverDone", &NeverDone, 2, "sync.WaitGroup.Wait"},
    {"LockedByTheDead", &LockedByTheDead, 1, "sync.Mutex.Lock"},
    {"NeverSignalled", &NeverSignalled, 1, "sync.Cond.Wait"},
    {"NotReleased", &NotReleased, 1, "sync.Semaphore.Acquire"},
    {"ReaderNeverLeaves", &ReaderNeverLeaves, 1, "sync.RWMutex.Lock"},
    {"WriterNeverLeaves", &WriterNeverLeaves, 1, "sync.RWMutex.RLock"},
    {"OnceNeverEnds", &OnceNeverEnds, 2, "sync.Once.Do"},
    {"GroupThatWaits", &GroupThatWaits, 2, "sync.WaitGroup.Wait"},
    {"FutureNeverReady", &FutureNeverReady, 2, "future"},
    {"LedToByAFreeBlock", &LedToByAFreeBlock, 1, "chan receive"},
};

}  // namespace

std::span<const Plant> Plants() { return kPlants; }

}  // namespace planted
