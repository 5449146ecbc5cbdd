// tests/debugger/debuggee.cc: a program that people look at: tracebacks with lines, and gdb.
//
// debuggee SCENARIO [N]. The tests know functions and texts of this file, and find lines by their comments
// ("line: NAME").
#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "gort/chan/chan.h"
#include "gort/context/context.h"
#include "gort/proc/go.h"
#include "gort/runtime.h"
#include "gort/sync/mutex.h"
#include "gort/sync/wait_group.h"

namespace shop {

struct Order {
  int number;
  double price;
};

// gdb stops here when everybody waits.
__attribute__((noinline)) void EverybodyWaits() { asm volatile("" ::: "memory"); }

__attribute__((noinline)) int Ship(const Order& order, const gort::Chan<int>& door) {
  const int weight = order.number * 10;
  const int got = door.Recv().value_or(0);  // line: recv
  asm volatile("" : : "r"(&order), "r"(weight) : "memory");
  return got + weight;
}

// Always a function within its caller.
inline __attribute__((always_inline)) int Pack(const Order& order, const gort::Chan<int>& door) {
  return Ship(order, door) + 1;  // line: pack
}

__attribute__((noinline)) void Worker(int number, const gort::Chan<int>& door) {
  Order order{number, 9.5};
  asm volatile("" : : "r"(&order) : "memory");
  int shipped = Pack(order, door);  // line: worker
  asm volatile("" : : "r"(shipped) : "memory");
}

template <class F>
__attribute__((noinline)) void Twice(F&& f) {
  f(1);
  f(2);
}

// Waits below a lambda, a std::function and a template.
__attribute__((noinline)) void Clerk(const gort::Chan<int>& door) {
  std::function<void(int)> serve = [&door](int n) {  // line: lambda
    Worker(n, door);                                 // line: in lambda
    asm volatile("" ::: "memory");
  };
  Twice(serve);
  asm volatile("" ::: "memory");
}

__attribute__((noinline)) void Hire(gort::WaitGroup& wg, const gort::Chan<int>& door) {
  gort::GoOptions named;
  named.name = "the clerk";
  gort::Go(named, [&door] { Clerk(door); });  // line: hire clerk
  wg.Go([&door] { Worker(7, door); });        // line: hire worker
  asm volatile("" ::: "memory");
}

__attribute__((noinline)) void Boss(gort::Mutex& till) {
  till.Lock();  // line: lock
  till.Unlock();
}

// What the scenarios of reports have in common: a clerk and a worker wait at a door, a boss for the till.
struct Shop {
  gort::Chan<int> door = gort::MakeChan<int>();
  gort::WaitGroup wg;
  gort::Mutex till;

  // The till stays locked.
  void Open() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    till.Lock();
    Hire(wg, door);
    gort::Go([this] { Boss(till); });  // line: hire boss
    while (!HasAll({"shop::Clerk", "shop::Worker", "shop::Boss"})) gort::Gosched();
  }

  // Whether all of them wait.
  static bool HasAll(std::initializer_list<const char*> names) {
    const std::string all = gort::Stack(true);
    for (const char* name : names) {
      if (all.find(name) == std::string::npos) return false;
    }
    return all.find("[runnable") == std::string::npos &&
           all.find("unavailable") == std::string::npos;
  }
};

__attribute__((noinline)) void Deadlock() {
  Shop s;
  s.Open();
  s.wg.Wait();  // line: wait
}

__attribute__((noinline)) void Wait() {
  Shop s;
  s.Open();
  gort::Context background = gort::Background();
  asm volatile("" : : "r"(&background) : "memory");
  EverybodyWaits();
  if (std::getenv("DEBUGGEE_ABORTS") != nullptr) std::abort();
  std::puts("over");
}

__attribute__((noinline)) void Throws() {
  throw std::runtime_error("out of paper");  // line: throw
}
__attribute__((noinline)) void Aborts() {
  std::abort();  // line: abort
}
__attribute__((noinline)) void Asserts(int n) {
  assert(n == 0);  // line: assert
}
__attribute__((noinline)) void Terminates() {
  std::terminate();  // line: terminate
}
__attribute__((noinline)) void Faults(volatile int* p) {
  *p = 1;  // line: fault
}

// As a goroutine that has a name, so that a report must say which.
template <class F>
void InGoroutine(F f) {
  gort::GoOptions named;
  named.name = "the culprit";
  auto done = gort::MakeChan<int>();
  gort::Go(named, [f, done] {
    f();
    done.Close();
  });
  done.Recv();
}

// n goroutines at the door.
void Many(int n) {
  auto door = gort::MakeChan<int>();
  gort::WaitGroup wg;
  for (int i = 0; i < n; ++i) {
    wg.Go([&door, i] { Worker(i, door); });
    if (i % 256 == 0) gort::Gosched();
  }
  for (int i = 0; i < 100; ++i) gort::Gosched();
  EverybodyWaits();
  if (std::getenv("DEBUGGEE_ABORTS") != nullptr) Aborts();
}

__attribute__((noinline)) long Churn(long n) {
  for (int k = 0; k < 30'000'000; ++k) asm volatile("" : "+r"(n));
  return n + 1;
}

// Computes for gdb's `next`, while others want the processor: each line takes several time slices.
__attribute__((noinline)) long Compute() {
  long sum = 0;      // line: compute
  sum = Churn(sum);  // line: 1
  sum = Churn(sum);  // line: 2
  sum = Churn(sum);  // line: 3
  sum = Churn(sum);  // line: 4
  sum = Churn(sum);  // line: 5
  asm volatile("" : "+r"(sum));
  return sum;  // line: computed
}

void Step() {
  for (int i = 0; i < 3; ++i) {
    gort::Go([] {
      for (long n = 0;; ++n) {
        asm volatile("" : : "r"(n));
      }
    });
  }
  std::printf("%ld\n", Compute());
}

int Run(const char* scenario, int n) {
  struct {
    const char* name;
    std::function<void()> run;
  } const scenarios[] = {
      {"deadlock", Deadlock},
      {"wait", Wait},
      {"step", Step},
      {"many", [n] { Many(n); }},
      {"throw", [] { InGoroutine(Throws); }},
      {"abort", [] { InGoroutine(Aborts); }},
      {"assert", [] { InGoroutine([] { Asserts(1); }); }},
      {"terminate", [] { InGoroutine(Terminates); }},
      {"fault", [] { InGoroutine([] { Faults(reinterpret_cast<int*>(8)); }); }},
  };
  for (const auto& s : scenarios) {
    if (std::strcmp(s.name, scenario) != 0) continue;
    s.run();
    return 0;
  }
  return 1;
}

}  // namespace shop

int gort_main(int argc, char** argv) {
  return shop::Run(argc > 1 ? argv[1] : "", argc > 2 ? std::atoi(argv[2]) : 10);
}
