#include "gort/base/panic.h"

#include <exception>
#include <string>

#include "gtest/gtest.h"

TEST(PanicAlone, IsAnException) {
  std::string what;
  try {
    throw gort::Panic("send on closed channel");
  } catch (const std::exception& e) {
    what = e.what();
  }
  EXPECT_EQ(what, "send on closed channel");
}
