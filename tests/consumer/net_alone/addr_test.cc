// Addresses without the scheduler.
#include "gort/net/addr.h"

#include "gtest/gtest.h"

TEST(AddrAlone, Parses) {
  absl::StatusOr<gort::SocketAddr> addr = gort::SocketAddr::Parse("[::1]:80");
  ASSERT_TRUE(addr.ok());
  EXPECT_EQ(addr->ToString(), "[::1]:80");
  EXPECT_FALSE(gort::SocketAddr::Parse("localhost:80").ok());
}
