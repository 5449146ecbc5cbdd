// tests/death/crash_scenarios.cc: programs that end badly, by name. See crash_test.cc.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/proc/proc.h"
#include "gort/runtime.h"
#include "gort/stack/internal/stack_layout.h"
#include "gort/tests/death/frames.h"
#include "gort/tests/death/unprobed_frames.h"

namespace {

#define NOT_A_TAIL_CALL() asm volatile("" ::: "memory")

volatile int never = 0;
volatile uintptr_t bad_address = 8;

__attribute__((noinline)) int Overflow(int n) {
  volatile char frame[256];
  frame[0] = static_cast<char>(n);
  if (never == 1) return 0;
  return Overflow(n + 1) + frame[n % 256];
}

// A frame whose low end lies in the neighbour's stack, and which writes nothing but that end.
__attribute__((noinline)) int IntoTheNeighbour(int n) {
  volatile char frame[gort::rt::kDefaultStack / 4 * 5];
  frame[0] = static_cast<char>(n);
  return frame[n % 256];
}

__attribute__((noinline)) void Fault() { *reinterpret_cast<volatile int*>(bad_address) = 1; }

__attribute__((noinline)) void Abort() { abort(); }

// Needs more than a signal stack has, and touches it from its upper end down to the guard.
__attribute__((noinline)) void LargeHandler(int n) {
  volatile char frame[512 << 10];
  for (size_t i = sizeof frame; i-- > 0;) frame[i] = static_cast<char>(n);
  bad_address = static_cast<uintptr_t>(frame[0]);
}

void HandleOnSignalStack() {
  struct sigaction action {};
  action.sa_handler = &LargeHandler;
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR1, &action, nullptr);
  raise(SIGUSR1);
}

__attribute__((noinline)) void ParkForEver() {
  gort::rt::GoPark(nullptr, nullptr, gort::rt::WaitReason::kChanReceive);
  NOT_A_TAIL_CALL();
}

__attribute__((noinline)) void StartParked() {
  gort::GOMAXPROCS(1);  // so that each has parked when this goroutine runs again
  for (int i = 0; i < 3; ++i) gort::Go([] { ParkForEver(); });
  for (int i = 0; i < 100; ++i) gort::Gosched();
}

std::atomic<int> spinning = 0;

__attribute__((noinline)) void Spin() {
  spinning.fetch_add(1);
  while (never == 0) {
  }
}

// Two goroutines that never stop on threads of their own, and one in a system call.
void StartRunning() {
  gort::GOMAXPROCS(4);
  for (int i = 0; i < 2; ++i) gort::Go([] { Spin(); });
  gort::Go([] {
    gort::Blocking([] {
      spinning.fetch_add(1);
      while (never == 0) pause();
    });
  });
  while (spinning.load() != 3) gort::Gosched();
}

// "runaway", "probed" or "unprobed", KiB of a frame, KiB of a stack: in a crowd of such stacks.
int Runaway(const std::string& name) {
  char how[16] = {};
  int frame = 0;
  size_t stack = 0;
  if (sscanf(name.c_str(), "runaway %15s %d %zu", how, &frame, &stack) != 3) return 1;
  gort::GoOptions options;
  options.stack_size = stack << 10;
  gort::GOMAXPROCS(1);
  for (int i = 0; i < 100; ++i) gort::Go(options, [] { ParkForEver(); });
  gort::Gosched();
  const bool probed = strcmp(how, "probed") == 0;
  gort::Go(options, [=] { probed ? FramesOf(frame) : UnprobedFramesOf(frame); });
  ParkForEver();
  return 1;
}

int Run(const std::string& name) {
  if (name.rfind("runaway", 0) == 0) return Runaway(name);
  if (name == "overflow") {
    gort::Go([] { Overflow(0); });
    ParkForEver();
  } else if (name == "overflow-main") {
    return Overflow(0);
  } else if (name == "overflow-crowd") {
    // Below the stack that overflows are those of others.
    gort::GOMAXPROCS(1);
    for (int i = 0; i < 100; ++i) gort::Go([] { ParkForEver(); });
    gort::Gosched();
    gort::Go([] { Overflow(0); });
    ParkForEver();
  } else if (name == "scarce") {
    // The stacks need 1.6 GiB of addresses, and there are 1.9.
    rlimit limit{1'907ull << 20, 1'907ull << 20};
    if (setrlimit(RLIMIT_AS, &limit) != 0) return 1;
    for (int i = 0; i < 6400; ++i) gort::Go([] { ParkForEver(); });
    return 0;
  } else if (name == "overflow-probed") {
    // The second goroutine's stack has a neighbour below; both are there when it overflows.
    gort::Go([] { ParkForEver(); });
    gort::Go([] { IntoTheNeighbour(never); });
    ParkForEver();
  } else if (name == "overflow-unprobed") {
    gort::Go([] { UnprobedRecursion(0); });
    ParkForEver();
  } else if (name == "overflow-unprobed-main") {
    return UnprobedRecursion(0);
  } else if (name == "overflow-unnoticed") {
    // Into the canary and back again; the next switch sees it. The lowest stack of a chunk is the
    // first goroutine's, and has a hard guard.
    gort::Go([] { ParkForEver(); });
    gort::Go([] {
      uintptr_t lo = gort::rt::Getg()->stack.lo;
      reinterpret_cast<volatile uintptr_t*>(lo)[-4] = 1;
      gort::Gosched();
    });
    ParkForEver();
  } else if (name == "fault") {
    gort::Go([] { Fault(); });
    ParkForEver();
  } else if (name == "fault-main") {
    Fault();
  } else if (name == "fault-far") {
    bad_address = uintptr_t{1} << 40;
    Fault();
  } else if (name == "handler-overflow") {
    HandleOnSignalStack();
  } else if (name == "abort") {
    gort::Go([] { Abort(); });
    ParkForEver();
  } else if (name == "pthread-exit") {
    gort::Go([] { pthread_exit(nullptr); });
    ParkForEver();
  } else if (name == "quit") {
    StartParked();
    raise(SIGQUIT);  // to this thread: another may be late, and find a deadlock
  } else if (name == "quit-running") {
    StartRunning();
    raise(SIGQUIT);
  } else if (name == "fatal-running") {
    StartRunning();
    gort::rt::Fatal("the program is broken");
  } else if (name == "quit-deaf") {
    // A thread that blocks every signal does not answer.
    StartParked();
    gort::GOMAXPROCS(2);
    gort::Go([] {
      gort::LockOSThread();
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_SETMASK, &all, nullptr);
      Spin();
    });
    while (spinning.load() != 1) gort::Gosched();
    raise(SIGQUIT);
  } else if (name == "stack-all") {
    StartParked();
    std::string text = gort::Stack(true);
    fputs(text.c_str(), stdout);
    return 0;
  } else if (name == "nested-handler") {
    // A fault in a C library callback on a goroutine.
    gort::Go([] {
      char letters[] = "ba";
      qsort(letters, 2, 1, [](const void*, const void*) {
        Fault();
        return 0;
      });
    });
    ParkForEver();
  }
  return 1;
}

}  // namespace

int gort_main(int argc, char** argv) { return argc == 2 ? Run(argv[1]) : 1; }
