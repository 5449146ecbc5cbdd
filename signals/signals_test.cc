#include "gort/signals/signals.h"

#include <gtest/gtest.h>
#include <setjmp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <thread>

#include "gort/base/attributes.h"
#include "gort/base/throw.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/testing/coroutine.h"
#include "gort/platforms/mem.h"
#include "gort/platforms/signal.h"
#include "gort/platforms/thread.h"
#include "gort/signals/sig_table.h"
#include "gort/tests/support/child.h"

namespace gort::rt {
namespace {

using gort::rt::testing::Coroutine;
using gort::rt::testing::TestThread;
using gort::testing::ChildResult;
using gort::testing::RunInChild;

volatile uintptr_t bad_address = 8;
GORT_NOINLINE void Fault() { *reinterpret_cast<volatile int*>(bad_address) = 1; }

// What a child starts with: no core dumps, and no handlers of a sanitizer's runtime, which would be
// the application's to ours.
void Prepare() {
  rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  for (const SigEntry& e : kSigTable) SigSetDefault(e.sig);
}

// In a child: the thread is an M with a signal stack, and fn runs as goroutine 7 after `before`.
template <class F>
ChildResult OnGoroutine(F before, void (*fn)()) {
  return RunInChild([&] {
    Prepare();
    TestThread thread;
    before();
    InstallSignals();
    m0.sigmask = SigCurrentMask();
    MInitSignalStack(&thread.m);
    Coroutine c(&thread, fn);
    c.Resume();
    MDropSignalStack(&thread.m);
  });
}

TEST(SigTable, Lookup) {
  EXPECT_EQ(SigEntryOf(SIGTRAP), nullptr);
  EXPECT_STREQ(SigEntryOf(SIGQUIT)->name, "SIGQUIT");
}

TEST(Signals, FaultOfAGoroutineIsReported) {
  ChildResult r = OnGoroutine([] {}, &Fault);
  EXPECT_EQ(r.status, 2) << r.output;
  EXPECT_EQ(
      r.output.rfind("panic: runtime error: invalid memory address or nil pointer dereference\n"
                     "[signal SIGSEGV: segmentation violation code=0x1 addr=0x8 pc=0x",
                     0),
      0u)
      << r.output;
  EXPECT_NE(r.output.find("]\n\ngoroutine 7 [running]:\n"), std::string::npos) << r.output;
}

TEST(Signals, QuitDumpsAndExits) {
  ChildResult r = OnGoroutine([] {}, [] { raise(SIGQUIT); });
  EXPECT_EQ(r.status, 2) << r.output;
  EXPECT_EQ(r.output.rfind("SIGQUIT: quit\nPC=0x", 0), 0u) << r.output;
  EXPECT_NE(r.output.find("\ngoroutine 7 [running]:\n"), std::string::npos) << r.output;
}

TEST(Signals, FaultOfAThreadWithoutAGDumpsCoreAtTheFault) {
  ChildResult r = RunInChild([] {
    Prepare();
    InstallSignals();
    Fault();
  });
  EXPECT_EQ(r.status, 128 + SIGSEGV) << r.output;
  EXPECT_EQ(r.output.find("fatal error"), std::string::npos) << r.output;
}

TEST(Signals, SentFaultSignalOfAThreadWithoutAGKills) {
  ChildResult r = RunInChild([] {
    Prepare();
    InstallSignals();
    raise(SIGSEGV);
  });
  EXPECT_EQ(r.status, 128 + SIGSEGV) << r.output;
}

TEST(Signals, ApplicationsHandlerComesBeforeTheReport) {
  ChildResult r = OnGoroutine(
      [] {
        struct sigaction sa {};
        sa.sa_flags = SA_SIGINFO;
        sa.sa_sigaction = [](int, siginfo_t* info, void*) {
          _exit(info->si_addr == reinterpret_cast<void*>(8) ? 33 : 34);
        };
        sigaction(SIGSEGV, &sa, nullptr);
      },
      &Fault);
  EXPECT_EQ(r.status, 33) << r.output;
  r = OnGoroutine([] { signal(SIGSEGV, [](int sig) { _exit(sig); }); }, &Fault);
  EXPECT_EQ(r.status, SIGSEGV) << r.output;
}

sigjmp_buf jump;

TEST(Signals, ApplicationsHandlerMayJumpAway) {
  ChildResult r = OnGoroutine([] { signal(SIGSEGV, [](int) { siglongjmp(jump, 1); }); },
                              [] {
                                G* before = Getg();
                                if (sigsetjmp(jump, 1) == 0) Fault();
                                _exit(Getg() == before ? 44 : 45);
                              });
  EXPECT_EQ(r.status, 44) << r.output;
}

int calls = 0;
G* seen_g = nullptr;
G* seen_current = nullptr;
bool first_handles = true;

TEST(Signals, RegisteredFunctionsLastFirst) {
  TestThread thread;
  m0.sigmask = SigCurrentMask();
  MInitSignalStack(&thread.m);
  SignalRegister(SIGURG, [](siginfo_t*, SigCtx&, G*) {
    calls += 100;
    return true;
  });
  SignalRegister(SIGURG, [](siginfo_t*, SigCtx& ctx, G* gp) {
    ++calls;
    seen_g = gp;
    seen_current = Getg();
    uintptr_t here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    EXPECT_TRUE(seen_current->stack.Contains(here));
    EXPECT_FALSE(seen_current->stack.Contains(ctx.sp()));
    errno = 99;
    return first_handles;
  });
  errno = 5;
  raise(SIGURG);
  EXPECT_EQ(errno, 5);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(seen_g, &thread.g0);
  EXPECT_EQ(seen_current, thread.m.gsignal);
  EXPECT_EQ(Getg(), &thread.g0);
  first_handles = false;
  raise(SIGURG);
  EXPECT_EQ(calls, 102);
  MDropSignalStack(&thread.m);
  SigRestore(m0.sigmask);
}

TEST(Signals, UnhandledSignalWithDefaultIgnoreIsIgnored) {
  ChildResult r = RunInChild([] {
    SignalRegister(SIGCHLD, [](siginfo_t*, SigCtx&, G*) { return false; });
    raise(SIGCHLD);
    _exit(7);
  });
  EXPECT_EQ(r.status, 7) << r.output;
  r = RunInChild([] {
    SignalRegister(SIGUSR1, [](siginfo_t*, SigCtx&, G*) { return false; });
    raise(SIGUSR1);
    _exit(7);
  });
  EXPECT_EQ(r.status, 128 + SIGUSR1) << r.output;
  r = RunInChild([] {
    signal(SIGUSR1, SIG_IGN);
    SignalRegister(SIGUSR1, [](siginfo_t*, SigCtx&, G*) { return false; });
    raise(SIGUSR1);
    _exit(7);
  });
  EXPECT_EQ(r.status, 7) << r.output;
}

TEST(Signals, FaultInTheReportEndsIt) {
  ChildResult r = OnGoroutine(
      [] {
        SignalRegister(SIGSEGV, [](siginfo_t*, SigCtx&, G*) {
          BeginFatal();
          Fault();
          return false;
        });
      },
      &Fault);
  EXPECT_EQ(r.status, 2) << r.output;
}

TEST(Signals, WhetherAHandlerBlocksAnother) {
  struct Case {
    const char* what;
    int sig;
    void (*handler)(int);
    bool blocks;
    bool want;
  };
  const Case cases[] = {
      {"a handler that blocks it", SIGUSR1, [](int) {}, true, true},
      {"a handler that does not", SIGUSR1, [](int) {}, false, false},
      {"no handler", SIGUSR1, SIG_IGN, true, false},
      {"its own handler", SIGURG, [](int) {}, true, false},
      {"a handler that ours calls, with everything blocked", SIGUSR2, [](int) {}, false, true},
  };
  for (const Case& c : cases) {
    const ChildResult r = RunInChild([&] {
      Prepare();
      struct sigaction sa {};
      sa.sa_handler = c.handler;
      if (c.blocks) sigaddset(&sa.sa_mask, SIGURG);
      sigaction(c.sig, &sa, nullptr);
      SignalRegister(SIGUSR2, [](siginfo_t*, SigCtx&, G*) { return false; });
      SignalRegister(SIGURG, [](siginfo_t*, SigCtx&, G*) { return false; });
      _exit(AnotherHandlerBlocks(SIGURG) ? 1 : 0);
    });
    EXPECT_EQ(r.status, c.want ? 1 : 0) << c.what << r.output;
  }
}

TEST(SignalStack, IsUsedAgainAndOldOneComesBack) {
  std::thread([] {
    TestThread thread;
    m0.sigmask = SigCurrentMask();
    void* lo_before;
    size_t bytes_before;
    SigStackGet(&lo_before, &bytes_before);
    MInitSignalStack(&thread.m);
    G* gsignal = thread.m.gsignal;
    ASSERT_NE(gsignal, nullptr);
    EXPECT_EQ(gsignal->m, &thread.m);
    EXPECT_GE(gsignal->stack.hi - gsignal->stack.lo, SigStackBytes());
    if (MemGuardWorks()) {
      EXPECT_FALSE(MemReadable(reinterpret_cast<char*>(gsignal->stack.lo - 1)));
    }
    void* lo;
    size_t bytes;
    SigStackGet(&lo, &bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(lo), gsignal->stack.lo);
    MDropSignalStack(&thread.m);
    SigStackGet(&lo, &bytes);
    EXPECT_EQ(lo, lo_before);
    EXPECT_EQ(bytes, bytes_before);
    MInitSignalStack(&thread.m);
    EXPECT_EQ(thread.m.gsignal, gsignal);
    MDropSignalStack(&thread.m);
  }).join();
}

TEST(SignalStack, MaskLetsFaultsThrough) {
  std::thread([] {
    TestThread thread;
    m0.sigmask = SigCurrentMask();
    SigSet before;
    SigBlockAll(&before);
    MInitSignalStack(&thread.m);
    SigSet now = SigCurrentMask();
    for (int sig : {SIGSEGV, SIGBUS, SIGFPE, SIGURG}) EXPECT_FALSE(sigismember(&now, sig));
    MDropSignalStack(&thread.m);
  }).join();
}

}  // namespace
}  // namespace gort::rt
