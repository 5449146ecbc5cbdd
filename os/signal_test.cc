// Signals: who gets which, when the default action and former handlers are back, what is refused,
// contexts that end by a signal, signals that come while others stop.
#include "gort/os/signal.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "absl/status/status.h"
#include "gort/base/attributes.h"
#include "gort/base/panic.h"
#include "gort/context/context.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/support/child.h"
#include "gort/tests/support/goroutines.h"
#include "gort/tests/support/process.h"
#include "gtest/gtest.h"

namespace gort::os {
namespace {

using gort::testing::Eventually;
using gort::testing::InGort;
using gort::testing::Probe;
using gort::testing::Procs;
using gort::testing::RunProgram;

// To the process, and so to any thread of it. ThreadSanitizer keeps a signal back until its thread
// makes a call that it knows; a thread that sleeps makes none.
void Send(int sig) {
  if (GORT_TSAN) {
    raise(sig);
  } else {
    kill(getpid(), sig);
  }
}

// What happens on sig now.
struct sigaction Disposition(int sig) {
  struct sigaction action {};
  sigaction(sig, nullptr, &action);
  return action;
}

TEST(Signal, ArrivesInTheChannel) {
  for (int procs : {1, 4}) {
    InGort([procs] {
      Procs p(procs);
      RecvChan<int> ch = Notify({SIGUSR1, SIGUSR2});
      Send(SIGUSR1);
      EXPECT_EQ(ch.Recv(), SIGUSR1);
      Send(SIGUSR2);
      EXPECT_EQ(ch.Recv(), SIGUSR2);
      Stop(ch);
      EXPECT_EQ(ch.Recv(), std::nullopt);
    });
  }
}

TEST(Signal, WakesAGoroutineThatWaits) {
  InGort([] {
    RecvChan<int> ch = Notify({SIGHUP});
    std::optional<int> got;
    Probe waiter([&] { got = ch.Recv(); });
    EXPECT_FALSE(waiter.done());
    Send(SIGHUP);
    EXPECT_TRUE(waiter.Finish());
    EXPECT_EQ(got, SIGHUP);
    Stop(ch);
  });
}

TEST(Signal, RealTimeSignalsUpToTheLast) {
  if (gort::testing::Emulated()) GTEST_SKIP() << "the emulator keeps some for itself";
  InGort([] {
    RecvChan<int> ch = Notify({SIGRTMIN, SIGRTMAX});
    Send(SIGRTMAX);
    EXPECT_EQ(ch.Recv(), SIGRTMAX);
    Send(SIGRTMIN);
    EXPECT_EQ(ch.Recv(), SIGRTMIN);
    Stop(ch);
  });
}

TEST(Signal, EachChannelThatAskedGetsIt) {
  InGort([] {
    RecvChan<int> one = Notify({SIGUSR1});
    RecvChan<int> two = Notify({SIGUSR1, SIGUSR2});
    Send(SIGUSR1);
    EXPECT_EQ(one.Recv(), SIGUSR1);
    EXPECT_EQ(two.Recv(), SIGUSR1);
    Stop(one);
    Send(SIGUSR1);  // still wanted by the other
    EXPECT_EQ(two.Recv(), SIGUSR1);
    EXPECT_EQ(one.Recv(), std::nullopt);
    Stop(two);
  });
}

TEST(Signal, FullChannelDropsAndKeepsTheFirst) {
  InGort([] {
    RecvChan<int> full = Notify({SIGUSR1});
    RecvChan<int> read = Notify({SIGUSR1});
    const size_t sent = kSignalCapacity + 3;
    for (size_t i = 0; i < sent; ++i) {
      Send(SIGUSR1);
      EXPECT_EQ(read.Recv(), SIGUSR1);  // so that none merges with the next
    }
    Stop(full);
    size_t kept = 0;
    while (full.Recv().has_value()) ++kept;
    EXPECT_EQ(kept, kSignalCapacity);
    Stop(read);
  });
}

TEST(Signal, WhatCameBeforeStopIsInTheChannel) {
  InGort([] {
    for (int i = 0; i < 1000; ++i) {
      RecvChan<int> ch = Notify({SIGUSR1});
      raise(SIGUSR1);  // delivered to this thread before raise returns
      Stop(ch);
      EXPECT_EQ(ch.Recv(), SIGUSR1);
      EXPECT_EQ(ch.Recv(), std::nullopt);
    }
  });
}

TEST(Signal, StopPutsBackWhatWasThere) {
  InGort([] {
    for (void (*before)(int) : {SIG_DFL, SIG_IGN}) {
      ::signal(SIGUSR1, before);
      RecvChan<int> one = Notify({SIGUSR1});
      RecvChan<int> two = Notify({SIGUSR1});
      Stop(one);
      EXPECT_NE(Disposition(SIGUSR1).sa_handler, before);
      Stop(two);
      EXPECT_EQ(Disposition(SIGUSR1).sa_handler, before);
      Stop(two);              // again: nothing
      Stop(RecvChan<int>());  // nobody's: nothing
      Stop(MakeChan<int>());
    }
    ::signal(SIGUSR1, SIG_DFL);
  });
}

std::atomic<int> handled{0};
void Count(int) { handled.fetch_add(1); }

TEST(Signal, FormerHandlerStillRunsAndComesBack) {
  InGort([] {
    for (int round = 1; round <= 2; ++round) {  // the second time with another handler in place
      handled.store(0);
      struct sigaction action {};
      action.sa_handler = &Count;
      action.sa_flags = round == 1 ? SA_RESTART : SA_NODEFER;
      sigaction(SIGUSR2, &action, nullptr);
      RecvChan<int> ch = Notify({SIGUSR2});
      Send(SIGUSR2);
      EXPECT_EQ(ch.Recv(), SIGUSR2);
      EXPECT_TRUE(Eventually([] { return handled.load() == 1; }));
      Stop(ch);
      EXPECT_EQ(Disposition(SIGUSR2).sa_handler, &Count);
      EXPECT_EQ(Disposition(SIGUSR2).sa_flags & SA_NODEFER, round == 1 ? 0 : SA_NODEFER);
      raise(SIGUSR2);
      EXPECT_EQ(handled.load(), 2);
    }
    ::signal(SIGUSR2, SIG_DFL);
  });
}

// SIGQUIT is gort's, unless the program has said something else since the start.
TEST(Signal, AQuitThatWasIgnoredIsIgnoredAgain) {
  InGort([] {
    const struct sigaction at_start = Disposition(SIGQUIT);
    ::signal(SIGQUIT, SIG_IGN);
    RecvChan<int> ch = Notify({SIGQUIT});
    Send(SIGQUIT);
    EXPECT_EQ(ch.Recv(), SIGQUIT);
    Stop(ch);
    EXPECT_EQ(Disposition(SIGQUIT).sa_handler, SIG_IGN);
    sigaction(SIGQUIT, &at_start, nullptr);
  });
}

TEST(Signal, HandlerOfALibraryThatCameLaterStays) {
  InGort([] {
    RecvChan<int> ch = Notify({SIGUSR2});
    ::signal(SIGUSR2, &Count);
    Stop(ch);
    EXPECT_EQ(Disposition(SIGUSR2).sa_handler, &Count);
    ::signal(SIGUSR2, SIG_DFL);
  });
}

struct sigaction under_the_library {};
void CallWhatWasThere(int sig, siginfo_t* info, void* ucontext) {
  handled.fetch_add(1);
  under_the_library.sa_sigaction(sig, info, ucontext);
}

// The library's handler keeps our handler's address, and ours then takes the signal from it.
TEST(Signal, HandlerOfALibraryMayCallOursAfterStopAndNotify) {
  InGort([] {
    for (void (*before)(int) : {SIG_DFL, &Count}) {
      handled.store(0);
      ::signal(SIGUSR2, before);
      RecvChan<int> first = Notify({SIGUSR2});
      struct sigaction library {};
      library.sa_sigaction = &CallWhatWasThere;
      library.sa_flags = SA_SIGINFO | SA_ONSTACK;
      sigaction(SIGUSR2, &library, &under_the_library);
      Stop(first);
      const int calls = before == &Count ? 2 : 1;
      for (int round = 1; round <= 3; ++round) {
        RecvChan<int> ch = Notify({SIGUSR2});
        raise(SIGUSR2);
        EXPECT_EQ(handled.load(), round * calls);
        Stop(ch);
        EXPECT_EQ(Disposition(SIGUSR2).sa_sigaction, &CallWhatWasThere);
        EXPECT_EQ(ch.Recv(), SIGUSR2);
        EXPECT_EQ(ch.Recv(), std::nullopt);
      }
    }
    ::signal(SIGUSR2, SIG_DFL);
  });
}

// How often the library's handler and the one below it ran.
std::atomic<int> librarys{0};
void CountAndCallWhatWasThere(int sig, siginfo_t* info, void* ucontext) {
  librarys.fetch_add(1);
  under_the_library.sa_sigaction(sig, info, ucontext);
}

// Installs `below`, and a library's handler over ours over it; ours comes and goes once more.
void LetTheLibraryStayAlone(void (*below)(int)) {
  ::signal(SIGUSR2, below);
  RecvChan<int> first = Notify({SIGUSR2});
  struct sigaction library {};
  library.sa_sigaction = &CountAndCallWhatWasThere;
  library.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGUSR2, &library, &under_the_library);
  Stop(first);
  Stop(Notify({SIGUSR2}));
}

// Nobody waits any more, and the library's handler, which has the signal, calls ours.
TEST(Signal, ALibraryThatCallsOursAfterTheLastStopReachesWhatWasBelow) {
  InGort([] {
    LetTheLibraryStayAlone(&Count);
    librarys.store(0);
    handled.store(0);
    for (int n = 1; n <= 2; ++n) {
      raise(SIGUSR2);
      EXPECT_GE(librarys.load(), n);
      EXPECT_EQ(handled.load(), n);
    }
    ::signal(SIGUSR2, SIG_DFL);
  });
}

std::string Refused(std::initializer_list<int> signals) {
  try {
    Stop(Notify(signals));
  } catch (const Panic& panic) {
    return panic.what();
  }
  return "";
}

TEST(Signal, RefusesWhatNobodyMayTake) {
  InGort([] {
    EXPECT_EQ(Refused({}), "os: Notify of no signal");
    EXPECT_EQ(Refused({SIGKILL}), "os: Notify: SIGKILL cannot be caught");
    EXPECT_EQ(Refused({SIGUSR1, SIGSTOP}), "os: Notify: SIGSTOP cannot be caught");
    EXPECT_EQ(Refused({SIGURG}), "os: Notify: SIGURG is the one by which gort pre-empts");
    for (int sig : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
      EXPECT_NE(Refused({sig}).find("the program is broken"), std::string::npos) << sig;
    }
    for (int sig : {-1, 0, 65, 1000}) {
      EXPECT_NE(Refused({sig}).find("is no signal"), std::string::npos) << sig;
    }
    EXPECT_EQ(Refused({32}), "os: Notify: signal 32 belongs to the C library");
    EXPECT_EQ(Refused({SIGQUIT}), "");
    EXPECT_EQ(Disposition(SIGUSR1).sa_handler, SIG_DFL);  // of the list that was refused
  });
}

TEST(Signal, FromAForeignThread) {
  InGort([] {
    std::atomic<int> got{0};
    std::thread t = gort::testing::AttachedThread([&] {
      RecvChan<int> ch = Notify({SIGUSR1});
      Send(SIGUSR1);
      got = ch.Recv().value_or(-1);
      Stop(ch);
    });
    t.join();
    EXPECT_EQ(got, SIGUSR1);
  });
}

// What becomes of a signal that nobody wants. qemu-user reads a signal's action several times when it
// delivers one, while others may change it (README.md): there it is a function, with the flags of ours.
void Ignore() {
  struct sigaction action {};
  action.sa_sigaction = [](int, siginfo_t*, void*) {};
  action.sa_flags = Disposition(SIGURG).sa_flags;
  if (!gort::testing::Emulated()) action.sa_handler = SIG_IGN;
  sigaction(SIGUSR1, &action, nullptr);
}

TEST(Signal, SubscribersComeAndGoWhileSignalsArrive) {
  InGort([] {
    const int rounds = gort::testing::Slow() ? 200 : 2000;
    Ignore();  // for those that arrive between a Stop and the next Notify
    std::atomic<bool> over{false};
    std::thread sender([&] {
      while (!over.load()) Send(SIGUSR1);
    });
    WaitGroup wg;
    for (int i = 0; i < 4; ++i) {
      wg.Go([rounds] {
        for (int round = 0; round < rounds; ++round) {
          RecvChan<int> ch = Notify({SIGUSR1});
          if (round % 2 == 0) {
            EXPECT_EQ(ch.Recv(), SIGUSR1);  // the sender goes on until it comes
          }
          Stop(ch);
        }
      });
    }
    wg.Wait();
    over.store(true);
    sender.join();
    ::signal(SIGUSR1, SIG_DFL);
  });
}

TEST(SignalContext, EndsByTheSignal) {
  InGort([] {
    SignalContext scope = NotifyContext(Background(), {SIGTERM, SIGINT});
    EXPECT_TRUE(scope.context().Err().ok());
    EXPECT_EQ(scope.signal(), 0);
    Send(SIGTERM);
    scope.context().Done().Recv();
    EXPECT_EQ(scope.context().Err().code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(Cause(scope.context()).message(), "signal: SIGTERM");
    EXPECT_EQ(scope.signal(), SIGTERM);
    raise(SIGINT);  // not fatal: nobody has stopped yet
    scope.Stop();
    EXPECT_EQ(scope.signal(), SIGTERM);
    EXPECT_EQ(Disposition(SIGTERM).sa_handler, SIG_DFL);
  });
}

TEST(SignalContext, EndsWithItsParentAndItsScope) {
  InGort([] {
    auto [parent, cancel] = WithCancel(Background());
    Context kept;
    {
      SignalContext scope(parent, {SIGUSR1});
      cancel();
      EXPECT_EQ(scope.context().Err().code(), absl::StatusCode::kCancelled);
      EXPECT_EQ(scope.signal(), 0);
    }
    {
      SignalContext scope(Background(), {SIGUSR1});
      kept = scope.context();
      scope.Stop();
      EXPECT_TRUE(kept.Err().ok());
    }
    EXPECT_EQ(kept.Err().code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(Disposition(SIGUSR1).sa_handler, SIG_DFL);
  });
}

struct Scenario {
  const char* name;
  int status;
  const char* output;
};

// Whole programs: os/testing/signal_scenarios.cc.
TEST(SignalProgram, EndsAsItShould) {
  constexpr Scenario kScenarios[] = {
      {"default_after_stop", 128 + SIGTERM, "got SIGTERM once\n"},
      {"default_under_a_library", 128 + SIGTERM, "stopped twice\n"},
      {"idle", 0, "got SIGUSR1\n"},
      {"ignored_at_start", 0, "got SIGHUP\nstill here\n"},
      {"deadlock_after_stop", 2, "fatal error: all goroutines are asleep - deadlock!"},
      {"before_run", 0, "os: Notify before the runtime has started; call gort::Run first\n"},
  };
  for (const Scenario& s : kScenarios) {
    if (GORT_TSAN && std::string_view(s.name) == "idle") continue;  // as Send says
    for (const char* procs : {"GOMAXPROCS=1", "GOMAXPROCS=4"}) {
      const gort::testing::ChildResult r = RunProgram("os/signal_scenarios", {s.name}, {procs});
      EXPECT_EQ(r.status, s.status) << s.name << ": " << r.output;
      EXPECT_NE(r.output.find(s.output), std::string::npos) << s.name << ": " << r.output;
    }
  }
}

}  // namespace
}  // namespace gort::os
