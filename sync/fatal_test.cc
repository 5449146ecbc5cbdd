// How programs end that misuse locks: Go's texts, and status 2.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "gort/base/attributes.h"
#include "gort/platforms/held_pthreads.h"
#include "gort/tests/support/child.h"

namespace gort {
namespace {

void ExpectDies(const std::string& scenario, const std::string& text) {
  testing::ChildResult r = testing::RunProgram("sync/fatal_scenarios", {scenario});
  EXPECT_EQ(r.status, 2) << scenario << '\n' << r.output;
  EXPECT_THAT(r.output, ::testing::HasSubstr(text)) << scenario;
}

TEST(SyncFatalTest, Mutex) {
  ExpectDies("mutex-unlock", "fatal error: sync: unlock of unlocked mutex");
  ExpectDies("mutex-unlock-twice", "fatal error: sync: unlock of unlocked mutex");
  ExpectDies("mutex-unlock-handed-over", "fatal error: sync: unlock of unlocked mutex");
}

TEST(SyncFatalTest, RWMutex) {
  ExpectDies("rwmutex-unlock", "fatal error: sync: Unlock of unlocked RWMutex");
  ExpectDies("rwmutex-unlock-read", "fatal error: sync: Unlock of unlocked RWMutex");
  ExpectDies("rwmutex-runlock", "fatal error: sync: RUnlock of unlocked RWMutex");
  ExpectDies("rwmutex-runlock-written", "fatal error: sync: RUnlock of unlocked RWMutex");
}

TEST(SyncFatalTest, WaitGroup) {
  ExpectDies("wait-group-negative", "panic: sync: negative WaitGroup counter");
}

// What debug builds report, and others let pass.
void ExpectReported(bool checked, const std::string& scenario, const std::string& text) {
  if (checked) return ExpectDies(scenario, text);
  testing::ChildResult r = testing::RunProgram("sync/fatal_scenarios", {scenario});
  EXPECT_EQ(r.status, 0) << scenario << '\n' << r.output;
}

TEST(SyncFatalTest, CopiesOfUsedLocks) {
  ExpectReported(rt::kDebug, "mutex-copied", "fatal error: sync.Mutex is copied");
  ExpectReported(rt::kDebug, "rwmutex-copied", "fatal error: sync.RWMutex is copied");
  ExpectReported(rt::kDebug, "wait-group-copied", "fatal error: sync.WaitGroup is copied");
  ExpectReported(rt::kDebug, "cond-copied", "fatal error: sync.Cond is copied");
}

TEST(SyncFatalTest, StdMutexHeldAcrossAPark) {
  // ThreadSanitizer itself does not see pthread_mutex_clocklock, and reports the unlock.
  if (!GORT_TSAN) ExpectReported(false, "std-timed-mutex-released", "");
  // Unchecked, the rest of such a program is undefined: not run.
  if (!rt::kCountsHeldPthreads) return;
  ExpectDies("std-mutex-over-park", "fatal error: std::mutex held across a park");
  ExpectDies("std-timed-mutex-over-park", "fatal error: std::mutex held across a park");
}

TEST(SyncFatalTest, Deadlocks) {
  ExpectDies("mutex-deadlock", "fatal error: all goroutines are asleep - deadlock!");
  ExpectDies("once-recursion", "fatal error: all goroutines are asleep - deadlock!");
}

}  // namespace
}  // namespace gort
