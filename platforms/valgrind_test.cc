#include "gort/platforms/valgrind.h"

#include <gtest/gtest.h>

namespace gort::rt {
namespace {

// What there is under valgrind, //tests/valgrind asks.
TEST(Valgrind, ARealCpuAnswersNothing) {
  EXPECT_FALSE(RunningOnValgrind());
  EXPECT_EQ(arch::AskValgrind({0x1001, 0, 0, 0, 0, 0}, 17), 17u);
  ValgrindAddStack(0x10000, 0x20000);
}

}  // namespace
}  // namespace gort::rt
