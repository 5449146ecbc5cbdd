// tests/death/run_scenarios.cc: programs with an ordinary main that calls Run, by name.
// run_end_test.cc says how each must end.
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <thread>

#include "gort/chan/chan.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/sched.h"
#include "gort/runtime.h"

namespace {

using gort::Chan;
using gort::MakeChan;

// The thread that calls Run is counted as somebody who may wake goroutines until it waits.
int DeadlockInTheSecondRun() {
  gort::Run([] { return 0; });
  return gort::Run([] {
    MakeChan<int>().Recv();
    return 0;
  });
}

// The one thread that is left has not called gort yet.
int GoexitBesideAThread() {
  std::atomic<bool> goexited = false;
  std::thread([&goexited] {
    while (!goexited) std::this_thread::yield();
    gort::Go([] { _exit(7); });
  }).detach();
  return gort::Run([&goexited] {
    struct AtEnd {
      std::atomic<bool>& flag;
      ~AtEnd() { flag = true; }
    } at_end{goexited};
    gort::Goexit();
    return 0;
  });
}

// A thread whose Run has ended is on its way to the next step when the last M goes to sleep.
int RunEndsBesideAnother() {
  constexpr int kRounds = 2000;
  Chan<int> values = MakeChan<int>();
  std::atomic<bool> waits = false;
  std::thread waiter([&] {
    gort::Run([&] {
      waits = true;
      while (values.Recv().value_or(0) != 0) {
      }
      return 0;
    });
  });
  while (!waits) std::this_thread::yield();
  for (int i = 0; i < kRounds; ++i) {
    // Wakes an M for the next main, which sleeps again right after.
    while (gort::rt::sched.npidle.load() < gort::GOMAXPROCS(0)) std::this_thread::yield();
    gort::Run([] { return 0; });
    values.Send(1);
  }
  values.Send(0);
  waiter.join();
  return 7;
}

// A thread-local destructor calls gort. It runs after gort's own destructor for the thread would
// have run.
struct Late {
  Chan<int> to;
  ~Late() {
    if (to) to.Send(1);
  }
};
thread_local Late late;

int DeadlockAfterALateCall() {
  return gort::Run([] {
    Chan<int> c = MakeChan<int>(2);
    std::thread([c]() mutable {
      late.to = c;  // first, and so destroyed last
      c.Send(0);
    }).detach();
    while (c.Recv()) {
    }
    return 0;
  });
}

// When the goroutine of the process's first M takes the thread with it, that M stays, and counts
// for nothing.
int DeadlockWithoutTheFirstM() {
  return gort::Run([] {
    gort::Go([] { MakeChan<int>().Recv(); });
    gort::Go([] {
      gort::LockOSThread();
      if (gort::rt::Getg()->m == &gort::rt::m0) puts("on m0");
      fflush(stdout);
    });
    MakeChan<int>().Recv();
    return 0;
  });
}

// A goroutine from before the first Run must not keep main from starting.
int BusyBeforeRun() {
  static std::atomic<bool> stop = false;
  gort::Go([] {
    while (!stop) {
    }
  });
  return gort::Run([] {
    stop = true;
    return 7;
  });
}

int BlockedBeforeRun() {
  static int fds[2];
  if (pipe(fds) != 0) return 1;
  gort::Go([] {
    char c;
    if (read(fds[0], &c, 1) != 1) _exit(1);
  });
  return gort::Run([] { return write(fds[1], "x", 1) == 1 ? 7 : 1; });
}

// Nobody could ever send.
int RecvBeforeRun() {
  Chan<int> c = MakeChan<int>();
  gort::Go([c]() mutable { c.Send(1); });
  c.Recv();
  return 7;
}

// Another thread could, and does.
int RecvBesideAThread() {
  Chan<int> c = MakeChan<int>();
  std::thread sender([c]() mutable { gort::Run([&] { return c.Send(1), 0; }); });
  c.Recv();
  sender.join();
  return 7;
}

// The threads that the runtime makes, and those that goroutines make there, have the program's name.
int ThreadNames() {
  static char own[16] = {};
  static char made[16] = {};
  gort::Run([] {
    gort::LockOSThread();  // so that the goroutine gets another thread than the first
    Chan<int> done = MakeChan<int>();
    gort::Go([done]() mutable {
      pthread_getname_np(pthread_self(), own, sizeof own);
      std::thread([] { pthread_getname_np(pthread_self(), made, sizeof made); }).join();
      done.Send(1);
    });
    done.Recv();
    return 0;
  });
  printf("\"%s\", \"%s\"\n", own, made);
  return strncmp(own, "run_scenarios", 13) == 0 && strcmp(own, made) == 0 ? 7 : 1;
}

struct Scenario {
  const char* name;
  int (*run)();
};

constexpr Scenario kScenarios[] = {
    {"deadlock_in_the_second_run", &DeadlockInTheSecondRun},
    {"run_ends_beside_another", &RunEndsBesideAnother},
    {"goexit_beside_a_thread", &GoexitBesideAThread},
    {"deadlock_after_a_late_call", &DeadlockAfterALateCall},
    {"deadlock_without_the_first_m", &DeadlockWithoutTheFirstM},
    {"busy_before_run", &BusyBeforeRun},
    {"blocked_before_run", &BlockedBeforeRun},
    {"recv_before_run", &RecvBeforeRun},
    {"recv_beside_a_thread", &RecvBesideAThread},
    {"thread_names", &ThreadNames},
};

}  // namespace

int main(int argc, char** argv) {
  for (const Scenario& s : kScenarios) {
    if (argc > 1 && strcmp(s.name, argv[1]) == 0) return s.run();
  }
  fprintf(stderr, "usage: run_scenarios SCENARIO, one of:\n");
  for (const Scenario& s : kScenarios) fprintf(stderr, "  %s\n", s.name);
  return 64;
}
