// Programs that end badly, by name; fatal_test.cc runs them and looks at how they ended.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <mutex>
#include <new>

#include "gort/chan/chan.h"
#include "gort/sync/sync.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

// Uses a T, copies its bytes, and uses those.
template <class T>
void UseACopy(void (*use)(T&)) {
  static T original;
  use(original);
  alignas(T) char copy[sizeof(T)];
  std::memcpy(copy, static_cast<void*>(&original), sizeof copy);
  use(*std::launder(reinterpret_cast<T*>(copy)));
}

struct Scenario {
  const char* name;
  void (*run)();
};

// What the analysis of locks would not let pass is what is wanted here.
constexpr Scenario kScenarios[] = {
    {"mutex-unlock",
     []() ABSL_NO_THREAD_SAFETY_ANALYSIS {
       Mutex mu;
       mu.Unlock();
     }},
    {"mutex-unlock-twice",
     []() ABSL_NO_THREAD_SAFETY_ANALYSIS {
       Mutex mu;
       mu.Lock();
       mu.Unlock();
       try {
         mu.Unlock();
       } catch (...) {  // cannot be caught
         std::terminate();
       }
     }},
    // The second Unlock comes while the lock is on its way to a waiter, in starvation mode.
    {"mutex-unlock-handed-over",
     []() ABSL_NO_THREAD_SAFETY_ANALYSIS {
       testing::Procs one(1);
       Mutex mu;
       mu.Lock();
       testing::Probe waiter([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { mu.Lock(); });
       waiter.Waits();
       const auto late = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
       while (std::chrono::steady_clock::now() < late) testing::Yield();
       mu.Unlock();
       if (mu.TryLock()) waiter.Waits();
       mu.Unlock();
       mu.Unlock();
     }},
    {"rwmutex-unlock",
     []() ABSL_NO_THREAD_SAFETY_ANALYSIS {
       RWMutex mu;
       mu.Unlock();
     }},
    {"rwmutex-unlock-read",
     []() ABSL_NO_THREAD_SAFETY_ANALYSIS {
       RWMutex mu;
       mu.RLock();
       mu.Unlock();
     }},
    {"rwmutex-runlock",
     []() ABSL_NO_THREAD_SAFETY_ANALYSIS {
       RWMutex mu;
       mu.RUnlock();
     }},
    {"rwmutex-runlock-written",
     []() ABSL_NO_THREAD_SAFETY_ANALYSIS {
       RWMutex mu;
       mu.Lock();
       mu.RUnlock();
     }},
    {"wait-group-negative", [] { WaitGroup().Done(); }},
    {"mutex-deadlock",
     []() ABSL_NO_THREAD_SAFETY_ANALYSIS {
       Mutex mu;
       mu.Lock();
       mu.Lock();
     }},
    {"std-mutex-over-park",
     [] {
       std::mutex mu;
       Chan<int> ch = MakeChan<int>();
       gort::Go([&] { ch.Send(1); });
       {
         std::lock_guard l(mu);  // no park: fine
       }
       std::unique_lock tried(mu, std::try_to_lock);
       ch.Recv();
     }},
    {"std-timed-mutex-over-park",
     [] {
       std::timed_mutex mu;
       Chan<int> ch = MakeChan<int>();
       gort::Go([ch]() mutable { ch.Send(1); });
       std::unique_lock l(mu, std::chrono::seconds(1));
       ch.Recv();
     }},
    {"std-timed-mutex-released",
     [] {
       std::timed_mutex mu;
       Chan<int> ch = MakeChan<int>();
       gort::Go([ch]() mutable { ch.Send(1); });
       std::unique_lock(mu, std::chrono::seconds(1)).unlock();
       ch.Recv();
     }},
    {"mutex-copied", [] { UseACopy<Mutex>([](Mutex& mu) { mu.lock(), mu.unlock(); }); }},
    {"rwmutex-copied",
     [] { UseACopy<RWMutex>([](RWMutex& mu) { mu.lock_shared(), mu.unlock_shared(); }); }},
    {"wait-group-copied", [] { UseACopy<WaitGroup>([](WaitGroup& wg) { wg.Wait(); }); }},
    {"cond-copied",
     [] {
       static Mutex mu;
       static Cond cond(mu);
       cond.Signal();
       alignas(Cond) char copy[sizeof(Cond)];
       std::memcpy(copy, static_cast<void*>(&cond), sizeof copy);
       std::launder(reinterpret_cast<Cond*>(copy))->Signal();
     }},
    {"once-recursion",
     [] {
       Once once;
       once.Do([&] { once.Do([] {}); });
     }},
};

}  // namespace
}  // namespace gort

int main(int argc, char** argv) {
  for (const gort::Scenario& s : gort::kScenarios) {
    if (argc == 2 && strcmp(argv[1], s.name) == 0) {
      gort::testing::InGort(s.run);
      return 0;
    }
  }
  fprintf(stderr, "no such scenario\n");
  return 3;
}
