// What Find must name, in one process: a function for each way to leave a goroutine behind; and what it
// must not. Every function of `planted` is called on a goroutine of its own, which has ended before the
// search, as a server's handler has.
#include "gort/leak/leak.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gort/base/attributes.h"
#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/context/context.h"
#include "gort/local/local.h"
#include "gort/malloc/malloc.h"
#include "gort/metrics/metrics.h"
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
#include "gtest/gtest.h"

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

}  // namespace planted

namespace gort::leak {
namespace {

struct Case {
  const char* name;
  void (*plant)();
  size_t leaks;
  const char* waits_for;  // of one of them
};

constexpr Case kCases[] = {
    {"MissedClose", &planted::MissedClose, 1, "chan receive"},
    {"EarlyReturn", &planted::EarlyReturn, 1, "chan send"},
    {"NilChannel", &planted::NilChannel, 1, "chan receive (nil chan)"},
    {"NilChannelSend", &planted::NilChannelSend, 1, "chan send (nil chan)"},
    {"DoubleSend", &planted::DoubleSend, 1, "chan send"},
    {"GoneConsumer", &planted::GoneConsumer, 1, "chan send"},
    {"ResultAfterTimeout", &planted::ResultAfterTimeout, 1, "chan send"},
    {"NoReadyPeers", &planted::NoReadyPeers, 1, "select"},
    {"SelectForever", &planted::SelectForever, 1, "select (no cases)"},
    {"LoopWithoutQuit", &planted::LoopWithoutQuit, 1, "select"},
    {"FullBuffer", &planted::FullBuffer, 1, "chan send"},
    {"PoolNeverClosed", &planted::PoolNeverClosed, 3, "chan receive"},
    {"EachOther", &planted::EachOther, 2, "chan receive"},
    {"OwnElement", &planted::OwnElement, 1, "chan send"},
    {"ForgottenCancel", &planted::ForgottenCancel, 1, "chan receive"},
    {"ParentNeverCancelled", &planted::ParentNeverCancelled, 1, "chan receive"},
    {"LostDone", &planted::LostDone, 1, "sync.WaitGroup.Wait"},
    {"NeverDone", &planted::NeverDone, 2, "sync.WaitGroup.Wait"},
    {"LockedByTheDead", &planted::LockedByTheDead, 1, "sync.Mutex.Lock"},
    {"NeverSignalled", &planted::NeverSignalled, 1, "sync.Cond.Wait"},
    {"NotReleased", &planted::NotReleased, 1, "sync.Semaphore.Acquire"},
    {"ReaderNeverLeaves", &planted::ReaderNeverLeaves, 1, "sync.RWMutex.Lock"},
    {"WriterNeverLeaves", &planted::WriterNeverLeaves, 1, "sync.RWMutex.RLock"},
    {"OnceNeverEnds", &planted::OnceNeverEnds, 2, "sync.Once.Do"},
    {"GroupThatWaits", &planted::GroupThatWaits, 2, "sync.WaitGroup.Wait"},
    {"FutureNeverReady", &planted::FutureNeverReady, 2, "future"},
    {"LedToByAFreeBlock", &planted::LedToByAFreeBlock, 1, "chan receive"},
};

std::vector<Goroutine> Of(const Report& r, const std::string& name) {
  std::vector<Goroutine> of;
  for (const Goroutine& g : r.leaked) {
    if (g.created_by.find("planted::" + name) != std::string::npos) of.push_back(g);
  }
  return of;
}

// Calls f on a goroutine, and returns when that has ended. Static, because a block of the heap may end
// with what an earlier one held.
WaitGroup called;
template <class F>
void Call(F f) {
  called.Go(f);
  called.Wait();
}

// The planted goroutines are on their way to where they wait: searches until they are found.
std::vector<Goroutine> FindAll(const Case& c) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (true) {
    const Report r = Find();
    std::vector<Goroutine> found = Of(r, c.name);
    if (found.size() >= c.leaks || std::chrono::steady_clock::now() > until) return found;
    Sleep(absl::Milliseconds(2));
  }
}

// A goroutine gets the stack of one that has ended, with what that left there.
GORT_NOINLINE void CleanStack() {
  volatile char zeros[16384];
  for (volatile char& c : zeros) c = 0;
}

GORT_NOINLINE void Check(const Case& c) {
  const std::vector<Goroutine> found = FindAll(c);
  EXPECT_EQ(found.size(), c.leaks) << c.name;
  std::string reasons;
  for (const Goroutine& g : found) {
    reasons += g.waits_for + "; ";
    EXPECT_NE(g.created_at.find("tests/leak/leak_test.cc:"), std::string::npos) << g.traceback;
    EXPECT_NE(g.traceback.find(", leaked]:"), std::string::npos) << g.traceback;
  }
  EXPECT_NE(reasons.find(c.waits_for), std::string::npos) << c.name << ": " << reasons;
}

constexpr bool kSanitized = GORT_ASAN || GORT_TSAN;

// What a goroutine of the test leaves in its frames looks like pointers, so each step has its own.
TEST(Leak, NamesThePlantedWithTheirSpawnSites) {
  if (kSanitized) GTEST_SKIP() << "leak.h: not with a sanitizer";
  gort::Run([] {
    for (const Case& c : kCases) {
      Call(c.plant);
      Call([&c] {
        CleanStack();
        Check(c);
      });
    }
    Call([] {
      const size_t found = Find().leaked.size();
      EXPECT_EQ(static_cast<size_t>(LastCount()), found);
      EXPECT_EQ(metrics::Value(metrics::Read(), "gort_goroutines_leaked"), found);
      EXPECT_NE(Stack(true).find("chan receive, leaked]:"), std::string::npos);
    });
    return 0;
  });
}

// ---- what must not be named ----

// Goroutines of this that wait for ever are found by their name.
size_t Named(const Report& r, const std::string& name) {
  size_t n = 0;
  for (const Goroutine& g : r.leaked) {
    if (g.name != name) continue;
    ++n;
    ADD_FAILURE() << g.traceback;
  }
  return n;
}

// Starts a goroutine that waits for c.
template <class T>
void StartWaiter(const char* name, Chan<T> c) {
  GoOptions options;
  options.name = name;
  Go(options, [c = std::move(c)] { c.Recv(); });
}

// Searches a few times, with the goroutine of this name parked, and expects that it is never named.
void ExpectReached(const char* name) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Named(Find(), name), 0u) << name;
    Sleep(absl::Milliseconds(1));
  }
}

Chan<int> in_static;
thread_local Chan<int> in_thread_local;

struct Holder {
  char before[4000];
  Chan<int> c = MakeChan<int>();
  char after[100];
};

TEST(Leak, DoesNotNameWhatAVariableLeadsTo) {
  if (kSanitized) GTEST_SKIP() << "leak.h: not with a sanitizer";
  gort::Run([] {
    in_static = MakeChan<int>();
    StartWaiter("static", in_static);
    ExpectReached("static");
    in_static.Close();

    Chan<int> local = MakeChan<int>();
    StartWaiter("local", local);
    ExpectReached("local");
    local.Close();

    auto list = std::make_unique<std::vector<std::unique_ptr<Holder>>>();
    for (int i = 0; i < 1000; ++i) list->push_back(std::make_unique<Holder>());
    StartWaiter("heap", (*list)[500]->c);
    // A pointer into the middle of a block leads to all of it.
    auto* middle = (*list)[700].release()->after;
    StartWaiter("middle", reinterpret_cast<Holder*>(middle - offsetof(Holder, after))->c);
    asm volatile("" : "+r"(middle));
    ExpectReached("heap");
    ExpectReached("middle");
    auto* holder = reinterpret_cast<Holder*>(middle - offsetof(Holder, after));
    holder->c.Close();
    delete holder;
    (*list)[500]->c.Close();

    // A block that has a mapping of its own, and one of another thread's arena.
    std::vector<Chan<int>> large(1 << 17);
    large[100000] = MakeChan<int>();
    StartWaiter("large", large[100000]);
    ExpectReached("large");
    large[100000].Close();

    // Memory that no allocator knows.
    void* mapped = mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    auto* there = ::new (mapped) Chan<int>(MakeChan<int>());
    StartWaiter("mapped", *there);
    ExpectReached("mapped");
    there->Close();
    there->~Chan();
    munmap(mapped, 8192);

    // A bit in the highest bits does not hide an address.
    auto* boxed = new Chan<int>(MakeChan<int>());
    StartWaiter("tagged", *boxed);
    auto tagged =
        std::make_unique<uintptr_t>(reinterpret_cast<uintptr_t>(boxed) | uintptr_t{0x1234} << 48);
    boxed = nullptr;
    ExpectReached("tagged");
    boxed = reinterpret_cast<Chan<int>*>(*tagged & ((uintptr_t{1} << 48) - 1));
    boxed->Close();
    delete boxed;
    return 0;
  });
}

TEST(Leak, DoesNotNameWhatAGoroutineOrATimerLeadsTo) {
  if (kSanitized) GTEST_SKIP() << "leak.h: not with a sanitizer";
  gort::Run([] {
    std::atomic<bool> stop{false};
    WaitGroup running;
    // One that sleeps, one that waits in the kernel, one that computes, with the address in a register.
    Chan<int> sleeper = MakeChan<int>();
    StartWaiter("of a sleeper", sleeper);
    running.Go([&stop, c = std::move(sleeper)] {
      while (!stop) Sleep(absl::Milliseconds(1));
      c.Close();
    });
    Chan<int> caller = MakeChan<int>();
    StartWaiter("of a caller", caller);
    running.Go([&stop, c = std::move(caller)] {
      while (!stop) Blocking([] { std::this_thread::sleep_for(std::chrono::milliseconds(3)); });
      c.Close();
    });
    Chan<int> computer = MakeChan<int>();
    StartWaiter("of a loop", computer);
    running.Go([&stop, c = std::move(computer)] {
      while (!stop.load(std::memory_order_relaxed)) {
      }
      c.Close();
    });
    Chan<int> foreign = MakeChan<int>();
    StartWaiter("of a thread", foreign);
    std::thread thread([&stop, c = std::move(foreign)]() mutable {
      in_thread_local = std::move(c);
      while (!stop) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      in_thread_local.Close();
      in_thread_local = {};
    });
    GoOptions options;
    options.name = "of a timer";
    running.Go(options, [] { After(absl::Milliseconds(200)).Recv(); });
    options.name = "of a deadline";
    running.Go(options, [] {
      auto [ctx, cancel] = WithTimeout(Background(), absl::Milliseconds(200));
      ctx.Done().Recv();
    });
    for (const char* name : {"of a sleeper", "of a caller", "of a loop", "of a thread",
                             "of a timer", "of a deadline"}) {
      ExpectReached(name);
    }
    stop = true;
    thread.join();
    running.Wait();
    return 0;
  });
}

TEST(Leak, SaysThatTheTimeIsOver) {
  if (kSanitized) GTEST_SKIP() << "leak.h: not with a sanitizer";
  gort::Run([] {
    const Report r = Find({.most = std::chrono::nanoseconds(1)});
    EXPECT_EQ(r.not_done, "it takes too long");
    EXPECT_TRUE(r.leaked.empty());
    EXPECT_EQ(Find({.most = std::chrono::nanoseconds::max()}).not_done, "");
    return 0;
  });
}

// An address in a large block of gort's heap, at the beginning of which a channel is.
char* in_large = nullptr;

GORT_NOINLINE void PlantInLarge(size_t bytes, size_t at) {
  auto* block = static_cast<char*>(malloc::Alloc(bytes));
  StartWaiter("in a large block", *::new (block) Chan<int>(MakeChan<int>()));
  in_large = block + at;
}

GORT_NOINLINE void EndLarge(size_t at) {
  auto* c = reinterpret_cast<Chan<int>*>(std::exchange(in_large, nullptr) - at);
  c->Close();
  c->~Chan();
  malloc::Free(c);
}

TEST(Leak, DoesNotNameWhatTheMiddleOfALargeBlockLeadsTo) {
  if (kSanitized) GTEST_SKIP() << "leak.h: not with a sanitizer";
  gort::Run([] {
    constexpr size_t kBytes = 80 << 20;  // so that it begins and ends in different arenas
    for (const size_t at : {size_t{0}, kBytes - 8, kBytes / 3, size_t{20'000}}) {
      Call([at] { PlantInLarge(kBytes, at); });
      Call([] {
        CleanStack();
        ExpectReached("in a large block");
      });
      Call([at] { EndLarge(at); });
    }
    return 0;
  });
}

// Goroutines of every kind come, meet and go while searches are made: whatever a search interrupts, it
// names none of them.
TEST(Leak, NamesNobodyWhileGoroutinesMeet) {
  if (kSanitized) GTEST_SKIP() << "leak.h: not with a sanitizer";
  gort::Run([] {
    std::atomic<bool> stop{false};
    WaitGroup running;
    GoOptions options;
    options.name = "meets";
    for (int i = 0; i < 4; ++i) {
      running.Go(options, [&] {
        while (!stop) {
          auto mu = std::make_shared<Mutex>();
          auto wg = std::make_shared<WaitGroup>();
          Chan<std::string> c = MakeChan<std::string>();
          for (int k = 0; k < 8; ++k) {
            wg->Go(options, [mu, c] {
              std::lock_guard<Mutex> lock(*mu);
              c.Send(std::string(100, 'x'));
            });
          }
          for (int k = 0; k < 8; ++k) c.Recv();
          wg->Wait();
          auto future = Spawn(options, [] { return std::vector<int>(100); });
          future.Get();
        }
      });
    }
    std::thread thread([&] {
      while (!stop) {
        Chan<int> c = MakeChan<int>();
        Go(options, [c] { c.Send(1); });
        c.Recv();
      }
    });
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    int searches = 0;
    while (std::chrono::steady_clock::now() < until) {
      const Report r = Find();
      EXPECT_EQ(Named(r, "meets"), 0u);
      searches += r.not_done.empty() ? 1 : 0;
    }
    EXPECT_GT(searches, 0);
    stop = true;
    thread.join();
    running.Wait();
    return 0;
  });
}

}  // namespace
}  // namespace gort::leak
