#include "gort/gmp/status.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "gort/gmp/g.h"
#include "gort/gmp/p.h"
#include "gort/tests/support/child.h"

namespace gort::rt {
namespace {

constexpr uint32_t kGStates[] = {kGIdle,    kGRunnable, kGRunning,   kGSyscall,
                                 kGWaiting, kGDead,     kGCopystack, kGPreempted};

TEST(GStatus, LegalTransitionsHappenAndOthersAreFatal) {
  for (uint32_t from : kGStates) {
    for (uint32_t to : kGStates) {
      if (GTransitionLegal(from, to)) {
        G g;
        g.atomicstatus.store(from);
        CasGStatus(&g, from, to);
        EXPECT_EQ(ReadGStatus(&g), to) << GStatusName(from);
      }
    }
    EXPECT_FALSE(GTransitionLegal(from, from)) << GStatusName(from);
    EXPECT_FALSE(GTransitionLegal(kGCopystack, from));
  }
  testing::ChildResult r = testing::RunInChild([] {
    G g;
    g.atomicstatus.store(kGWaiting);
    CasGStatus(&g, kGWaiting, kGDead);
  });
  EXPECT_EQ(r.status, 2);
  EXPECT_NE(r.output.find("status waiting -> dead"), std::string::npos) << r.output;
  EXPECT_NE(r.output.find("fatal error: casgstatus: bad goroutine status"), std::string::npos)
      << r.output;
}

TEST(GStatus, AStateOtherThanTheOneExpectedIsFatal) {
  testing::ChildResult r = testing::RunInChild([] {
    G g;
    g.atomicstatus.store(kGSyscall);
    CasGStatus(&g, kGRunnable, kGRunning);
  });
  EXPECT_EQ(r.status, 2);
  EXPECT_NE(r.output.find("status runnable -> running, found syscall"), std::string::npos)
      << r.output;
}

TEST(GStatus, AScannerHoldsTheStateUntilItLetsGo) {
  G g;
  g.atomicstatus.store(kGRunnable);
  EXPECT_FALSE(CasToGScanStatus(&g, kGWaiting));
  ASSERT_TRUE(CasToGScanStatus(&g, kGRunnable));
  EXPECT_EQ(ReadGStatus(&g), uint32_t{kGScan} | kGRunnable);
  std::atomic<bool> asked{false};
  std::atomic<bool> moved{false};
  std::thread owner([&] {
    asked.store(true);
    CasGStatus(&g, kGRunnable, kGRunning);
    moved.store(true);
  });
  while (!asked.load()) std::this_thread::yield();
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();
  EXPECT_FALSE(moved.load());
  CasFromGScanStatus(&g, uint32_t{kGScan} | kGRunnable);
  owner.join();
  EXPECT_EQ(ReadGStatus(&g), uint32_t{kGRunning});
}

TEST(GStatus, OneThatHasNotBegunIsRunnableAndNeverFrozen) {
  G g;
  g.atomicstatus.store(kGDead);
  MakeGFresh(&g);
  EXPECT_TRUE(IsGFresh(&g));
  EXPECT_EQ(ReadGStatus(&g), uint32_t{kGRunnable});
  EXPECT_FALSE(CasToGScanStatus(&g, kGRunnable));
  LeaveGFresh(&g);
  EXPECT_FALSE(IsGFresh(&g));
  EXPECT_EQ(ReadGStatus(&g), uint32_t{kGRunning});
  testing::ChildResult r = testing::RunInChild([&] { LeaveGFresh(&g); });
  EXPECT_EQ(r.status, 2);
  EXPECT_NE(r.output.find("status runnable -> running, found running (0x2)"), std::string::npos)
      << r.output;
}

TEST(PStatus, OnlyOneOfTwoTakesAPInASystemCall) {
  for (int round = 0; round < 1000; ++round) {
    P p;
    p.status.store(kPSyscall);
    std::atomic<int> taken{0};
    std::thread other([&] { taken += CasPStatus(&p, kPSyscall, kPIdle) ? 1 : 0; });
    taken += CasPStatus(&p, kPSyscall, kPGcStop) ? 1 : 0;
    other.join();
    ASSERT_EQ(taken.load(), 1);
  }
}

TEST(PStatus, TransitionsAreThoseOfTheTable) {
  EXPECT_TRUE(PTransitionLegal(kPRunning, kPSyscall));
  EXPECT_TRUE(PTransitionLegal(kPGcStop, kPDead));
  EXPECT_FALSE(PTransitionLegal(kPDead, kPRunning));
  EXPECT_FALSE(PTransitionLegal(kPIdle, kPSyscall));
  EXPECT_FALSE(PTransitionLegal(5, kPIdle));
}

}  // namespace
}  // namespace gort::rt
