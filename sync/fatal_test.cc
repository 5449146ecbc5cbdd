// How programs end that misuse locks: Go's texts, and status 2.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/testing/child.h"

namespace gort {
namespace {

void ExpectDies(const std::string& scenario, const std::string& text) {
  testing::ChildResult r = testing::RunChild("sync/fatal_scenarios", {scenario});
  EXPECT_EQ(r.status, 2) << scenario << '\n' << r.output;
  EXPECT_THAT(r.output, ::testing::HasSubstr(text)) << scenario;
}

TEST(SyncFatalTest, Mutex) {
  ExpectDies("mutex-unlock", "fatal error: sync: unlock of unlocked mutex");
  ExpectDies("mutex-unlock-twice", "fatal error: sync: unlock of unlocked mutex");
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

TEST(SyncFatalTest, Deadlocks) {
  ExpectDies("mutex-deadlock", "fatal error: all goroutines are asleep - deadlock!");
  ExpectDies("once-recursion", "fatal error: all goroutines are asleep - deadlock!");
}

}  // namespace
}  // namespace gort
