// The conditions that JudgeSafePoint asks of a goroutine before it looks at a frame, in their
// order, and its first answers about code. Walks of real goroutines' stacks: tests/preempt.
#include "gort/preempt/safe_point.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <ucontext.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <string>

#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/status.h"
#include "gort/preempt/user_text.h"

namespace gort::rt {
namespace {

// The thread as an M that runs a goroutine on its own stack and has a P: what every condition is
// met by.
struct Running {
  Running() {
    pthread_attr_t attr;
    pthread_getattr_np(pthread_self(), &attr);
    void* lo;
    size_t bytes;
    pthread_attr_getstack(&attr, &lo, &bytes);
    pthread_attr_destroy(&attr);
    g.stack = {reinterpret_cast<uintptr_t>(lo), reinterpret_cast<uintptr_t>(lo) + bytes};
    g.goid = 7;
    g.m = &m;
    g.atomicstatus = kGRunning;
    m.curg = &g;
    m.p = &p;
    p.m = &m;
    p.status = kPRunning;
    getcontext(&uc);
    SigCtx(&uc).set_pc(reinterpret_cast<uintptr_t>(&JudgeSafePoint) + 4);  // the runtime's code
  }
  SafePoint Judge(size_t frame_bytes = 1024) {
    return JudgeSafePoint(SigCtx(&uc), &g, frame_bytes);
  }

  G g;
  G other;
  M m;
  M other_m;
  P p;
  ucontext_t uc{};
};

class SafePointTest : public ::testing::Test {
 public:
  static void SetUpTestSuite() {
    ASSERT_TRUE(UserTextAddProgram());
    SafePointInit();
  }
  // What the judge had to leave unknown is known the next time.
  static SafePoint Known(Running* r) {
    if (SafePoint first = r->Judge(); first != SafePoint::kUnknown) return first;
    EXPECT_TRUE(ResolveWanted());
    return r->Judge();
  }
};

TEST_F(SafePointTest, EachConditionAlone) {
  struct Case {
    const char* what;
    void (*spoil)(Running& r);
    SafePoint answer;
  };
  const Case cases[] = {
      {"a g0", [](Running& r) { r.g.goid = 0; }, SafePoint::kNotUserG},
      {"a foreign thread's", [](Running& r) { r.g.foreign = true; }, SafePoint::kNotUserG},
      {"no M", [](Running& r) { r.g.m = nullptr; }, SafePoint::kNotUserG},
      {"the M runs another", [](Running& r) { r.m.curg = &r.other; }, SafePoint::kNotUserG},
      {"the M runs none", [](Running& r) { r.m.curg = nullptr; }, SafePoint::kNotUserG},
      {"waiting", [](Running& r) { r.g.atomicstatus = kGWaiting; }, SafePoint::kNotUserG},
      {"runnable", [](Running& r) { r.g.atomicstatus = kGRunnable; }, SafePoint::kNotUserG},
      {"in a system call", [](Running& r) { r.g.atomicstatus = kGSyscall; }, SafePoint::kNotUserG},
      {"below the stack", [](Running& r) { r.g.stack.lo = SigCtx(&r.uc).sp() + 1; },
       SafePoint::kNotUserG},
      {"above the stack", [](Running& r) { r.g.stack.hi = SigCtx(&r.uc).sp() - 1; },
       SafePoint::kNotUserG},
      {"the runtime holds a lock", [](Running& r) { r.m.locks = 1; }, SafePoint::kPinned},
      {"no P", [](Running& r) { r.m.p = nullptr; }, SafePoint::kNoP},
      {"the P is another M's", [](Running& r) { r.p.m = &r.other_m; }, SafePoint::kNoP},
      {"the P is nobody's", [](Running& r) { r.p.m = nullptr; }, SafePoint::kNoP},
      {"the P is in a system call", [](Running& r) { r.p.status = kPSyscall; }, SafePoint::kNoP},
      {"the P is stopped", [](Running& r) { r.p.status = kPGcStop; }, SafePoint::kNoP},
      {"all of them met", [](Running&) {}, SafePoint::kNotText},
  };
  for (const Case& c : cases) {
    auto r = std::make_unique<Running>();
    c.spoil(*r);
    EXPECT_EQ(Known(r.get()), c.answer) << c.what << ": " << SafePointName(Known(r.get()));
  }
  auto r = std::make_unique<Running>();
  EXPECT_EQ(JudgeSafePoint(SigCtx(&r->uc), nullptr, 1024), SafePoint::kNotUserG);
}

TEST_F(SafePointTest, TheFrameNeedsRoom) {
  auto r = std::make_unique<Running>();
  EXPECT_EQ(r->Judge(0), SafePoint::kNoRoom) << "the kernel's frame is not known";
  // Some room besides the frame is for what runs before the goroutine leaves: where it ends is one
  // place.
  size_t lo = 1024;
  size_t hi = SigCtx(&r->uc).sp() - r->g.stack.lo;
  EXPECT_NE(r->Judge(lo), SafePoint::kNoRoom);
  EXPECT_EQ(r->Judge(hi), SafePoint::kNoRoom) << "all of the stack";
  while (hi - lo > 1) {
    const size_t middle = lo + (hi - lo) / 2;
    (r->Judge(middle) == SafePoint::kNoRoom ? hi : lo) = middle;
  }
  const size_t left = SigCtx(&r->uc).sp() - r->g.stack.lo - lo;
  EXPECT_GE(left, 2u << 10);
  EXPECT_LE(left, 16u << 10);
}

TEST_F(SafePointTest, WhoseCodeDecides) {
  // Not looked up yet, and noted by the question.
  auto r = std::make_unique<Running>();
  SigCtx ctx(&r->uc);
  ctx.set_pc(reinterpret_cast<uintptr_t>(&SafePointName) + 4);
  EXPECT_EQ(r->Judge(), SafePoint::kUnknown);
  EXPECT_EQ(r->Judge(), SafePoint::kUnknown);
  ASSERT_TRUE(ResolveWanted());
  EXPECT_EQ(r->Judge(), SafePoint::kNotText);
  // Outside of every registered object: a library's.
  static constexpr unsigned char kCode[16] = {0x90, 0x90, 0x90, 0x90};
  unsigned char code[sizeof kCode];
  memcpy(code, kCode, sizeof code);
  ctx.set_pc(reinterpret_cast<uintptr_t>(code) + 4);
  EXPECT_EQ(r->Judge(), SafePoint::kNotText);
}

TEST(SafePointNames, AreThereAndDiffer) {
  std::set<std::string> names;
  for (int i = 0; i < static_cast<int>(SafePoint::kCount); ++i) {
    names.insert(SafePointName(static_cast<SafePoint>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(SafePoint::kCount));
  EXPECT_EQ(names.count("???"), 0u);
  EXPECT_STREQ(SafePointName(SafePoint::kCount), "???");
}

}  // namespace
}  // namespace gort::rt
