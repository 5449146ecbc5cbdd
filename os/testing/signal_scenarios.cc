// Programs that get signals, by name; signal_test.cc runs them and looks at how they ended.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "gort/base/panic.h"
#include "gort/chan/chan.h"
#include "gort/os/signal.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

void Say(const char* text) {
  std::puts(text);
  std::fflush(stdout);
}

int DefaultAfterStop() {
  RecvChan<int> ch = os::Notify({SIGTERM});
  raise(SIGTERM);
  if (ch.Recv() == SIGTERM) Say("got SIGTERM once");
  os::Stop(ch);
  kill(getpid(), SIGTERM);
  for (;;) pause();
}

struct sigaction under_the_library {};
void CallWhatWasThere(int sig, siginfo_t* info, void* ucontext) {
  under_the_library.sa_sigaction(sig, info, ucontext);
}

// A library's handler, which has the signal in the end, calls gort's: that has the default action below.
int DefaultUnderALibrary() {
  RecvChan<int> first = os::Notify({SIGTERM});
  struct sigaction library {};
  library.sa_sigaction = &CallWhatWasThere;
  library.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGTERM, &library, &under_the_library);
  os::Stop(first);
  os::Stop(os::Notify({SIGTERM}));
  Say("stopped twice");
  raise(SIGTERM);
  return 5;
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

// Everybody waits for the signal for a while: no deadlock is reported, and no CPU time is used.
int Idle() {
  RecvChan<int> ch = os::Notify({SIGUSR1, SIGALRM});
  const double before = CpuSeconds();
  alarm(1);
  if (ch.Recv() != SIGALRM) return 3;
  const double used = CpuSeconds() - before;
  if (used > 0.3) std::printf("used %f seconds\n", used);
  raise(SIGUSR1);
  if (ch.Recv() == SIGUSR1) Say("got SIGUSR1");
  return used > 0.3 ? 4 : 0;
}

// As under nohup.
int IgnoredAtStart() {
  RecvChan<int> ch = os::Notify({SIGHUP});
  raise(SIGHUP);
  if (ch.Recv() == SIGHUP) Say("got SIGHUP");
  os::Stop(ch);
  kill(getpid(), SIGHUP);
  Say("still here");
  return 0;
}

int DeadlockAfterStop() {
  os::Stop(os::Notify({SIGUSR1}));
  MakeChan<int>().Recv();
  return 0;
}

int BeforeRun() {
  try {
    os::Notify({SIGUSR1});
  } catch (const Panic& panic) {
    Say(panic.what());
  }
  return 0;
}

struct Scenario {
  const char* name;
  int (*run)();
};

constexpr Scenario kScenarios[] = {
    {"default_after_stop", &DefaultAfterStop},
    {"default_under_a_library", &DefaultUnderALibrary},
    {"idle", &Idle},
    {"ignored_at_start", &IgnoredAtStart},
    {"deadlock_after_stop", &DeadlockAfterStop},
};

}  // namespace
}  // namespace gort

int main(int argc, char** argv) {
  if (argc != 2) return 64;
  if (std::strcmp(argv[1], "before_run") == 0) return gort::BeforeRun();
  if (std::strcmp(argv[1], "ignored_at_start") == 0) signal(SIGHUP, SIG_IGN);
  for (const gort::Scenario& s : gort::kScenarios) {
    if (std::strcmp(argv[1], s.name) != 0) continue;
    int status = 0;
    gort::testing::InGort([&] { status = s.run(); });
    return status;
  }
  return 64;
}
