#include "gort/gmp/switch.h"

#include <gtest/gtest.h>
#include <unwind.h>

#include <cerrno>
#include <cfenv>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>

#include "gort/gmp/testing/coroutine.h"

namespace gort::rt {
namespace {

using testing::Coroutine;
using testing::TestThread;

// Asked in functions of their own: the address of errno must not live across a switch.
GORT_NOINLINE void SetErrno(int v) { errno = v; }
GORT_NOINLINE int GetErrno() { return errno; }

// As many values as there are callee-saved registers, and some more, that live across a park.
template <class ParkFn>
GORT_NOINLINE uint64_t Mixed(uint64_t seed, ParkFn park) {
  uint64_t v[16];
  for (int i = 0; i < 16; ++i) v[i] = seed * (2 * static_cast<uint64_t>(i) + 1);
  for (int round = 0; round < 50; ++round) {
    park();
    for (int i = 0; i < 16; ++i) v[i] = v[i] * 0x9e3779b97f4a7c15u + v[(i + 1) % 16];
  }
  uint64_t sum = 0;
  for (uint64_t x : v) sum ^= x;
  return sum;
}

uint64_t result_a = 0;
uint64_t result_b = 0;

TEST(Switch, ValuesInRegistersSurvive) {
  TestThread thread;
  Coroutine a(&thread, [] { result_a = Mixed(3, [] { Coroutine::Park(); }); });
  Coroutine b(&thread, [] { result_b = Mixed(5, [] { Coroutine::Park(); }); });
  while (ReadGStatus(&a.g) != kGDead || ReadGStatus(&b.g) != kGDead) {
    if (ReadGStatus(&a.g) != kGDead) a.Resume();
    if (ReadGStatus(&b.g) != kGDead) b.Resume();
  }
  EXPECT_EQ(result_a, Mixed(3, [] {}));
  EXPECT_EQ(result_b, Mixed(5, [] {}));
}

int rounding_seen = -1;

TEST(Switch, TheFloatingPointControlWordBelongsToTheContext) {
  TestThread thread;
  Coroutine c(&thread, [] {
    fesetround(FE_UPWARD);
    Coroutine::Park();
    rounding_seen = fegetround();
  });
  ASSERT_EQ(fegetround(), FE_TONEAREST);
  c.Resume();
  EXPECT_EQ(fegetround(), FE_TONEAREST);
  fesetround(FE_DOWNWARD);
  c.Resume();
  EXPECT_EQ(fegetround(), FE_DOWNWARD);
  EXPECT_EQ(rounding_seen, FE_UPWARD);
  fesetround(FE_TONEAREST);
}

int errno_seen = -1;

TEST(Switch, ErrnoBelongsToTheContext) {
  TestThread thread;
  Coroutine c(&thread, [] {
    SetErrno(11);
    Coroutine::Park();
    errno_seen = GetErrno();
  });
  SetErrno(22);
  c.Resume();
  EXPECT_EQ(GetErrno(), 22);
  c.Resume();
  EXPECT_EQ(errno_seen, 11);
  EXPECT_EQ(GetErrno(), 22);
}

std::string caught;

TEST(Switch, ExceptionsBelongToTheContext) {
  TestThread thread;
  Coroutine c(&thread, [] {
    try {
      throw std::runtime_error("mine");
    } catch (...) {
      Coroutine::Park();  // inside a catch clause
      try {
        throw;
      } catch (const std::exception& e) {
        caught = e.what();
      }
    }
  });
  try {
    throw std::runtime_error("the other's");
  } catch (...) {
    c.Resume();
    EXPECT_EQ(std::uncaught_exceptions(), 0);
    try {
      throw;
    } catch (const std::exception& e) {
      EXPECT_STREQ(e.what(), "the other's");
    }
    c.Resume();
  }
  EXPECT_EQ(caught, "mine");
}

int frames = 0;

_Unwind_Reason_Code CountFrame(_Unwind_Context*, void*) {
  return ++frames < 1000 ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

TEST(Switch, ABacktraceOfANewContextEndsByItself) {
  TestThread thread;
  _Unwind_Reason_Code how = _URC_NO_REASON;
  static _Unwind_Reason_Code* const out = &how;
  Coroutine c(&thread, [] { *out = _Unwind_Backtrace(&CountFrame, nullptr); });
  c.Resume();
  EXPECT_EQ(how, _URC_END_OF_STACK);
  EXPECT_GE(frames, 2);
  EXPECT_LT(frames, 20);
}

const G* committed = nullptr;
const G* committed_by = nullptr;

TEST(Switch, WhoeverIsResumedCommitsForTheOneThatLeft) {
  TestThread thread;
  Coroutine c(&thread, [] {
    G* self = Getg();
    SwitchTo(self, self->m->g0, [](G* from) {
      committed = from;
      committed_by = Getg();
      from->atomicstatus.store(kGWaiting);
    });
  });
  c.Resume();
  EXPECT_EQ(committed, &c.g);
  EXPECT_EQ(committed_by, &thread.g0);
  EXPECT_EQ(thread.m.after_fn, nullptr);
  c.Resume();
  EXPECT_EQ(ReadGStatus(&c.g), uint32_t{kGDead});
}

uintptr_t g0_local = 0;

TEST(Switch, SystemStackRunsOnG0AndComesBack) {
  TestThread thread;
  Coroutine c(&thread, [] {
    G* self = Getg();
    int here = 0;
    OnSystemStack([&] {
      int there = 0;
      g0_local = reinterpret_cast<uintptr_t>(&there);
      here = Getg() == self->m->g0 ? 1 : 2;
    });
    EXPECT_EQ(here, 1);
    EXPECT_EQ(Getg(), self);
  });
  c.Resume();
  EXPECT_TRUE(thread.g0.stack.Contains(g0_local));
  EXPECT_FALSE(c.g.stack.Contains(g0_local));
}

}  // namespace
}  // namespace gort::rt
