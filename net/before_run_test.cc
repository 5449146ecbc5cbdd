// Calls before the first Run: refused, with nothing left behind.
#include "absl/status/status.h"
#include "gort/net/net.h"
#include "gtest/gtest.h"

namespace gort {
namespace {

TEST(BeforeRun, NetworkCallsAreRefused) {
  for (const char* address : {"localhost:1", "127.0.0.1:1"}) {
    const absl::Status dialled = Dial("tcp", address).status();
    EXPECT_EQ(dialled.code(), absl::StatusCode::kFailedPrecondition) << dialled;
    EXPECT_NE(dialled.message().find("call gort::Run first"), dialled.message().npos) << dialled;
  }
  const absl::Status listened = Listen("tcp", "localhost:0").status();
  EXPECT_EQ(listened.code(), absl::StatusCode::kFailedPrecondition) << listened;
}

}  // namespace
}  // namespace gort
