#include "gort/base/version.h"

#include <string>

#include "gtest/gtest.h"

// For code that has to build with several versions.
#if GORT_VERSION < 100
#error "a version below 0.1.0"
#endif

TEST(VersionAlone, TextAndNumberAgree) {
  EXPECT_EQ(GORT_VERSION_STRING, std::to_string(GORT_VERSION / 10000) + "." +
                                     std::to_string(GORT_VERSION / 100 % 100) + "." +
                                     std::to_string(GORT_VERSION % 100));
}
