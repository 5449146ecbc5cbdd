// Programs that end badly, by name; fatal_test.cc runs them and looks at how they ended.
#include <cstdio>
#include <cstring>
#include <exception>

#include "sync/sync.h"
#include "tests/testing/goroutines.h"

namespace gort {
namespace {

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
