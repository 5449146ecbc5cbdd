// What Find must not name: who is reached in a way that a mark could miss.
#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gort/base/attributes.h"
#include "gort/chan/chan.h"
#include "gort/context/context.h"
#include "gort/leak/leak.h"
#include "gort/malloc/malloc.h"
#include "gort/runtime.h"
#include "gort/sync/future.h"
#include "gort/sync/mutex.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/leak/finding.h"
#include "gort/timer/sleep.h"
#include "gort/timer/timer.h"
#include "gtest/gtest.h"

namespace gort::leak {
namespace {

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
