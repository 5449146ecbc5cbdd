#include "gort/platforms/signal.h"

#include <signal.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdint>

#include "gort/base/bits.h"
#include "gort/platforms/auxv.h"
#include "gort/tests/support/child.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

// What the handler saw.
volatile int handled_sig;
volatile int handled_count;
volatile uintptr_t handler_local;
SigSet handler_mask;

void Record(int sig, siginfo_t* info, void*) {
  char local = 0;
  handler_local = reinterpret_cast<uintptr_t>(&local);
  handler_mask = SigCurrentMask();
  handled_sig = info->si_signo == sig ? sig : -1;
  handled_count = handled_count + 1;
}

// Installs Record for SIGUSR1 and puts back what was there.
class Signal : public ::testing::Test {
 protected:
  void SetUp() override {
    handled_sig = 0;
    handled_count = 0;
    ASSERT_TRUE(SigInstall(SIGUSR1, &Record, &before_));
  }
  void TearDown() override { sigaction(SIGUSR1, &before_, nullptr); }

  struct sigaction before_;
};

TEST_F(Signal, HandlerRunsWithTheSignalsInformation) {
  raise(SIGUSR1);
  EXPECT_EQ(handled_sig, SIGUSR1);
  EXPECT_EQ(handled_count, 1);
}

TEST_F(Signal, InstallTellsWhatWasThereAndRefusesTheUncatchable) {
  struct sigaction was;
  ASSERT_TRUE(SigInstall(SIGUSR1, &Record, &was));
  EXPECT_EQ(was.sa_sigaction, &Record);
  EXPECT_NE(was.sa_flags & SA_ONSTACK, 0);
  errno = 1234;
  EXPECT_FALSE(SigInstall(SIGKILL, &Record, nullptr));
  EXPECT_FALSE(SigInstall(SIGSTOP, &Record, nullptr));
  EXPECT_EQ(errno, 1234);
}

TEST_F(Signal, BlockedSignalsWaitUntilTheMaskIsRestored) {
  SigSet before;
  SigBlockAll(&before);
  raise(SIGUSR1);
  EXPECT_EQ(handled_count, 0);
  SigSet all = SigCurrentMask();
  EXPECT_EQ(sigismember(&all, SIGUSR1), 1);
  EXPECT_EQ(sigismember(&all, SIGTERM), 1);
  SigRestore(before);
  EXPECT_EQ(handled_count, 1);
}

TEST_F(Signal, UnblockLetsOneSignalThrough) {
  SigSet before;
  SigBlockAll(&before);
  raise(SIGUSR1);
  SigUnblock(SIGUSR1);
  EXPECT_EQ(handled_count, 1);
  SigSet now = SigCurrentMask();
  EXPECT_EQ(sigismember(&now, SIGUSR1), 0);
  EXPECT_EQ(sigismember(&now, SIGUSR2), 1);
  SigRestore(before);
}

TEST_F(Signal, EverySignalIsBlockedInsideAHandler) {
  raise(SIGUSR1);
  for (int sig : {SIGUSR1, SIGUSR2, SIGURG, SIGQUIT, SIGPROF, SIGRTMIN}) {
    EXPECT_EQ(sigismember(&handler_mask, sig), 1) << sig;
  }
}

TEST(SigStack, HoldsTheKernelsFrameAndWholePages) {
  size_t bytes = SigStackBytes();
  EXPECT_GE(bytes, GetAuxval(AuxKey::kMinSigStackSize) + (32 << 10));
  EXPECT_GE(bytes, static_cast<size_t>(MINSIGSTKSZ));  // no constant in newer C libraries
  EXPECT_TRUE(IsAligned(bytes, GetAuxval(AuxKey::kPageSize)));
}

TEST_F(Signal, HandlersRunOnTheAlternateStackWhileThereIsOne) {
  stack_t old;
  ASSERT_EQ(sigaltstack(nullptr, &old), 0);
  const size_t bytes = SigStackBytes();
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(p, MAP_FAILED);
  const uintptr_t lo = reinterpret_cast<uintptr_t>(p);
  SigStackSet(p, bytes);
  raise(SIGUSR1);
  EXPECT_GE(handler_local, lo);
  EXPECT_LT(handler_local, lo + bytes);
  SigStackSet(nullptr, 0);
  raise(SIGUSR1);
  EXPECT_TRUE(handler_local < lo || handler_local >= lo + bytes);
  EXPECT_EQ(handled_count, 2);
  sigaltstack(&old, nullptr);
  munmap(p, bytes);
}

TEST(SigStack, OneThatIsTooSmallIsFatal) {
  testing::ChildResult r = testing::RunInChild([] {
    static char tiny[64];
    SigStackSet(tiny, sizeof tiny);
  });
  EXPECT_EQ(r.status, 2);
  EXPECT_EQ(r.output, "fatal error: sigaltstack failed\n");
}

}  // namespace
}  // namespace gort::rt
