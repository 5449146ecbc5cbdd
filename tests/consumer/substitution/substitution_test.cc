#include "absl/strings/str_cat.h"
#include "consumer/own.h"
#include "gtest/gtest.h"

#ifndef CONSUMER_OWN_ABSL
#error "this is not the workspace's own Abseil"
#endif

TEST(Substitution, OwnAbslStays) { EXPECT_EQ(absl::StrCat("own ", CONSUMER_OWN_ABSL), "own 1"); }
