// Profiles of a program that uses nothing else.
#include "gort/profile/profile.h"

#include <string>

#include "gort/profile/labels.h"
#include "gort/runtime.h"
#include "gtest/gtest.h"

TEST(ProfileAlone, HasTheLabelsOfItsGoroutines) {
  std::string profile;
  gort::Run([&profile] {
    EXPECT_TRUE(gort::profile::StartCpu("").ok());
    EXPECT_TRUE(gort::profile::TakeCpu().ok());
    gort::WithLabels({{"request", "forty-two"}},
                     [&] { profile = gort::profile::Read(gort::profile::Kind::kGoroutine); });
    return 0;
  });
  EXPECT_NE(profile.find("forty-two"), std::string::npos);
}
