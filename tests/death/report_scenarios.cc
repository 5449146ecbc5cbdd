// tests/death/report_scenarios.cc: ways to end, by name. report_test.cc says what each must print
// and with which status it must end.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <thread>

#include "gort/base/throw.h"
#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/runtime.h"
#include "gort/timer/sleep.h"

namespace {

using gort::Chan;
using gort::MakeChan;

struct Loud {
  const char* name;
  ~Loud() { printf("~%s\n", name); }
};

void Deadlock() {
  Chan<int> c = MakeChan<int>();
  gort::Go([c] {
    Chan<int> sent = c;
    sent.Send(1);
    sent.Send(2);
  });
  c.Recv();
  MakeChan<int>().Recv();
}

void DeadlockNil() { Chan<int>{}.Recv(); }

void DeadlockSelect() { gort::Select(); }

void DeadlockLocked() {
  gort::LockOSThread();
  Chan<int> c = MakeChan<int>();
  c.Recv();
}

void MainGoexit() {
  Chan<int> left = MakeChan<int>();
  gort::Go([left]() mutable {
    left.Recv();
    puts("the others go on");
    fflush(stdout);
  });
  struct AtEnd {
    Chan<int> c;
    ~AtEnd() { c.Close(); }
  } at_end{left};
  Loud loud{"main's frame"};
  gort::Goexit();
}

void PanicStd() {
  gort::Go([] { throw std::runtime_error("boom"); });
  MakeChan<int>().Recv();
}

void PanicInt() { throw 42; }

void PanicClosedChannel() {
  Chan<int> c = MakeChan<int>();
  c.Close();
  c.Send(1);
}

void NullFunction() {
  std::function<void()> f;
  gort::Go(f);
}

void ThrowInvariant() { gort::rt::Throw("a broken invariant"); }

__attribute__((noinline)) void Deep(int n) {
  Loud loud{"frame"};
  if (n == 0) gort::Goexit();
  if (n > 0) Deep(n - 1);
}

// Not a death: destructors run on the way out, catch (...) does not stop it, other goroutines go
// on.
void GoexitDeep() {
  Chan<int> c = MakeChan<int>();
  gort::Go([c] {
    struct AtEnd {
      Chan<int> c;
      ~AtEnd() { c.Close(); }
    } at_end{c};
    try {
      Deep(2);
    } catch (...) {
      puts("caught, not rethrown");
    }
    puts("never");
  });
  c.Recv();
  // A statically linked program takes its unwinding tables away when it exits.
  while (gort::NumGoroutine() > 1) gort::Gosched();
  puts("main goes on");
}

void ForeignGoexit() {
  std::thread([] { gort::Goexit(); }).join();
}

// An uncaught exception on another thread is the program's own business.
void ForeignThrow() {
  std::thread([] { throw std::runtime_error("on a foreign thread"); }).join();
}

// The thread first calls gort when it sends. Until then there must be no report of a deadlock.
void LateThread() {
  Chan<int> c = MakeChan<int>();
  std::thread t([c]() mutable {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    c.Send(42);
  });
  printf("received %d\n", *c.Recv());
  t.join();
}

// The thread ends without calling gort, and no one is left who could wake a goroutine.
void ThreadThatNeverCalls() {
  std::thread([] { std::this_thread::sleep_for(std::chrono::milliseconds(50)); }).detach();
  MakeChan<int>().Recv();
}

void ThreadThatCalledAndEnded() {
  Chan<int> c = MakeChan<int>();
  std::thread([c]() mutable {
    c.TrySend(1);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }).detach();
  while (c.Recv()) {
  }
}

void Nap() { gort::Sleep(absl::Milliseconds(100)); }

void ExitStatus() {
  gort::Go([] { gort::Sleep(absl::Hours(1)); });
  exit(7);
}

struct Scenario {
  const char* name;
  void (*run)();
};

constexpr Scenario kScenarios[] = {
    {"deadlock", &Deadlock},
    {"deadlock_nil", &DeadlockNil},
    {"deadlock_select", &DeadlockSelect},
    {"deadlock_locked", &DeadlockLocked},
    {"main_goexit", &MainGoexit},
    {"panic_std", &PanicStd},
    {"panic_int", &PanicInt},
    {"panic_closed_channel", &PanicClosedChannel},
    {"null_function", &NullFunction},
    {"throw", &ThrowInvariant},
    {"park_in_blocking", [] { gort::Blocking([] { gort::Sleep(absl::Milliseconds(1)); }); }},
    {"goexit_deep", &GoexitDeep},
    {"foreign_goexit", &ForeignGoexit},
    {"foreign_throw", &ForeignThrow},
    {"late_thread", &LateThread},
    {"thread_that_never_calls", &ThreadThatNeverCalls},
    {"thread_that_called_and_ended", &ThreadThatCalledAndEnded},
    {"nap", &Nap},
    {"exit_status", &ExitStatus},
    {"ok", [] {}},
};

}  // namespace

int gort_main(int argc, char** argv) {
  for (const Scenario& s : kScenarios) {
    if (argc > 1 && strcmp(s.name, argv[1]) == 0) {
      s.run();
      return 0;
    }
  }
  fprintf(stderr, "usage: report_scenarios SCENARIO, one of:\n");
  for (const Scenario& s : kScenarios) fprintf(stderr, "  %s\n", s.name);
  return 64;
}
