// How programs end that misuse channels: the text, and status 2.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "gort/tests/support/child.h"

namespace gort {
namespace {

using ::testing::HasSubstr;

void ExpectDies(const std::string& scenario, const std::string& text) {
  testing::ChildResult r = testing::RunProgram("chan/fatal_scenarios", {scenario});
  EXPECT_EQ(r.status, 2) << scenario << '\n' << r.output;
  EXPECT_THAT(r.output, HasSubstr(text)) << scenario;
}

TEST(ChanFatalTest, NobodyLeftToWakeIt) {
  for (const char* s : {"recv-nil", "send-nil", "recv", "send", "select", "select-none"}) {
    ExpectDies(s, "fatal error: all goroutines are asleep - deadlock!");
  }
}

TEST(ChanFatalTest, Panics) {
  ExpectDies("panic-send", "panic: send on closed channel");
  ExpectDies("panic-close", "panic: close of closed channel");
  ExpectDies("panic-close-nil", "panic: close of nil channel");
  ExpectDies("panic-in-goroutine", "panic: send on closed channel");
}

}  // namespace
}  // namespace gort
