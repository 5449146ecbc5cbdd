#include "gort/platforms/sigctx.h"

#include <signal.h>
#include <unistd.h>

#include <cstdint>

#include "gort/base/bits.h"
#include "gort/platforms/mem.h"
#include "gort/platforms/signal.h"
#include "gort/platforms/thread.h"
#include "gort/tests/support/child.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

uintptr_t seen_pc, seen_sp, seen_fp;

void Look(int, siginfo_t*, void* ucontext) {
  SigCtx ctx(ucontext);
  seen_pc = ctx.pc();
  seen_sp = ctx.sp();
  seen_fp = ctx.fp();
}

TEST(SigCtx, ShowsTheInterruptedCodeAndStack) {
  struct sigaction before;
  ASSERT_TRUE(SigInstall(SIGUSR1, &Look, &before));
  char local = 0;
  raise(SIGUSR1);
  sigaction(SIGUSR1, &before, nullptr);
  uintptr_t lo = 0, hi = 0;
  ASSERT_TRUE(ThreadStackBounds(&lo, &hi));
  EXPECT_GT(seen_sp, lo);
  // raise() was called from here, so it was interrupted further down, and not far.
  EXPECT_LT(seen_sp, reinterpret_cast<uintptr_t>(&local));
  EXPECT_GT(seen_sp + (64 << 10), reinterpret_cast<uintptr_t>(&local));
  EXPECT_TRUE(MemReadable(reinterpret_cast<void*>(seen_pc)));
}

uintptr_t wanted_sp;

[[noreturn]] void Landed() {
  char local = 0;
  uintptr_t here = reinterpret_cast<uintptr_t>(&local);
  _exit(here < wanted_sp && here + 4096 > wanted_sp ? 7 : 8);
}

void Redirect(int, siginfo_t*, void* ucontext) {
  SigCtx ctx(ucontext);
  wanted_sp = AlignDown(ctx.sp() - (16 << 10), 16);
  ctx.set_sp(wanted_sp - SigCtx::kCallBytes);  // as if called
  ctx.set_pc(reinterpret_cast<uintptr_t>(&Landed));
  if (ctx.pc() != reinterpret_cast<uintptr_t>(&Landed)) _exit(9);
}

TEST(SigCtx, WritingItChangesWhereAndOnWhichStackTheThreadResumes) {
  testing::ChildResult r = testing::RunInChild([] {
    SigInstall(SIGUSR1, &Redirect, nullptr);
    raise(SIGUSR1);
    _exit(10);
  });
  EXPECT_EQ(r.status, 7) << r.output;
}

uintptr_t wanted_fp;

void CompareFp(int, siginfo_t*, void* ucontext) {
  _exit(SigCtx(ucontext).fp() == wanted_fp ? 7 : 8);
}

TEST(SigCtx, FramePointerIsTheRegisterOfThatRole) {
  testing::ChildResult r = testing::RunInChild([] {
    // What a trap raises differs from CPU to CPU.
    SigInstall(SIGILL, &CompareFp, nullptr);
    SigInstall(SIGTRAP, &CompareFp, nullptr);
    wanted_fp = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    __builtin_trap();
  });
  EXPECT_EQ(r.status, 7) << r.output;
}

void CompareDwarf(int, siginfo_t*, void* ucontext) {
  SigCtx ctx(ucontext);
  uintptr_t regs[SigCtx::kDwarfPc + 1] = {};
  ctx.ToDwarf(regs);
  int sps = 0;
  for (int i = 0; i < SigCtx::kDwarfPc; ++i) sps += regs[i] == ctx.sp() ? 1 : 0;
  _exit(regs[SigCtx::kDwarfPc] == ctx.pc() && sps >= 1 ? 7 : 8);
}

TEST(SigCtx, ByDwarfNumberThePcIsTheLast) {
  testing::ChildResult r = testing::RunInChild([] {
    SigInstall(SIGUSR1, &CompareDwarf, nullptr);
    raise(SIGUSR1);
  });
  EXPECT_EQ(r.status, 7);
}

}  // namespace
}  // namespace gort::rt
