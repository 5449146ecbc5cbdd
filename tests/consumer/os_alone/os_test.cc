#include "gort/os/os.h"

#include <signal.h>

#include <optional>

#include "gort/runtime.h"
#include "gtest/gtest.h"

TEST(OsAlone, Signals) {
  std::optional<int> got;
  gort::Run([&got] {
    gort::RecvChan<int> signals = gort::os::Notify({SIGTERM});
    raise(SIGTERM);
    got = signals.Recv();
    gort::os::Stop(signals);
    return 0;
  });
  EXPECT_EQ(got, SIGTERM);
}

TEST(OsAlone, AContextEndsByASignal) {
  gort::Run([] {
    gort::os::SignalContext scope = gort::os::NotifyContext(gort::Background(), {SIGINT});
    raise(SIGINT);
    scope.context().Done().Recv();
    EXPECT_EQ(scope.signal(), SIGINT);
    return 0;
  });
}

TEST(OsAlone, AChild) {
  gort::Run([] {
    gort::os::Command command;
    command.args = {"cat"};
    absl::StatusOr<gort::os::CommandOutput> got =
        gort::os::Output(gort::Background(), command, "hello");
    EXPECT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(got->out, "hello");
    return 0;
  });
}
