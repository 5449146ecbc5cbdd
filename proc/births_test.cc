// proc/births_test.cc: a P that waits for a thread to be made. The creation may wait for malloc's lock,
// and whoever holds that must not wait for the P.
#include <gtest/gtest.h>
#include <ucontext.h>

#include "gort/gmp/m.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/status.h"
#include "gort/lock/mutex.h"
#include "gort/platforms/sigctx.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/stay.h"
#include "gort/proc/testing/world.h"

namespace gort::rt::testing {
namespace {

bool Pending() {
  LockGuard l(&sched.lock);
  return BirthsPending();
}

void GiveToANewM() {
  P* pp;
  {
    LockGuard l(&sched.lock);
    pp = PidleGet();
  }
  StartM(pp, false);
}

TEST(Births, AThreadThatIsAskedForIsNotBornYet) {
  World w(2);
  EXPECT_FALSE(Pending());
  GiveToANewM();
  ASSERT_EQ(w.threads.size(), 1U);
  EXPECT_TRUE(Pending());  // until it has come to its scheduling loop: it may allocate before
}

// What the handler has seen before it takes the scheduler's lock may be old.
TEST(Births, NobodyWithoutAPWaitsMeanwhile) {
  World w(2);
  G* gp = w.Dummy("lost", kGSyscall);
  M* mp = w.NewM();
  gp->m = mp;
  mp->curg = gp;
  GiveToANewM();
  ucontext_t uc{};
  bool waited = true;
  w.AsG(gp, [&] { waited = StayWithoutP(gp, SigCtx(&uc)); });
  EXPECT_FALSE(waited);
  EXPECT_EQ(ReadGStatus(gp), uint32_t{kGSyscall});
  EXPECT_EQ(gp->signal_context, nullptr);
  EXPECT_EQ(gp->lockedm, nullptr);
  EXPECT_EQ(mp->curg.load(), gp);
  EXPECT_EQ(w.DrainGlobal(), "");
}

}  // namespace
}  // namespace gort::rt::testing
