// A child before the first Run: refused, and not started.
#include <sys/wait.h>

#include <cerrno>

#include "absl/status/status.h"
#include "gort/os/command.h"
#include "gtest/gtest.h"

namespace gort::os {
namespace {

TEST(BeforeRun, NoChildIsStarted) {
  const absl::Status refused =
      absl::FailedPreconditionError("os: the runtime has not started; call gort::Run first");
  const Command command{.args = {"/bin/true"}};
  EXPECT_EQ(Process::Start(Background(), command).status(), refused);
  EXPECT_EQ(Output(Background(), command).status(), refused);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

}  // namespace
}  // namespace gort::os
