// The network inside a bubble of gort::testing: in real time, and as good as new afterwards.
#include <gtest/gtest.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gort/net/net.h"
#include "gort/netpoll/wait_fd.h"
#include "gort/runtime.h"
#include "gort/testing/testing.h"
#include "gort/timer/sleep.h"

namespace gort {
namespace {

constexpr absl::Duration kShort = absl::Milliseconds(20);

absl::StatusCode WaitShort(int fd) { return WaitReadable(fd, absl::Now() + kShort).code(); }

TEST(BubbleIo, DeadlinesGoByRealTimeInsideAndAfterwards) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  gort::Run([&] {
    // Leaves a PollDesc for the bubble to use.
    EXPECT_EQ(WaitShort(fds[0]), absl::StatusCode::kDeadlineExceeded);
    testing::Run([&] {
      const absl::Time start = absl::Now();
      EXPECT_EQ(WaitShort(fds[0]), absl::StatusCode::kDeadlineExceeded);
      EXPECT_GE(absl::Now() - start, kShort);
    });
    EXPECT_EQ(WaitShort(fds[0]), absl::StatusCode::kDeadlineExceeded);
    return 0;
  });
  close(fds[0]);
  close(fds[1]);
}

TEST(BubbleIo, DialWithATimeoutConnects) {
  gort::Run([&] {
    Listener listener = *Listen("tcp", "127.0.0.1:0");
    testing::Run([&] {
      const absl::Status s = Dial("tcp", listener.Addr(), absl::Seconds(30)).status();
      EXPECT_TRUE(s.ok()) << s;
    });
    return 0;
  });
}

// A Pipe, unlike a connection, lives by the bubble's clock.
TEST(BubbleIo, APipesDeadlinesAreVirtual) {
  gort::Run([&] {
    const absl::Time start = absl::Now();
    testing::Run([&] {
      auto [a, b] = Pipe();
      char c;
      EXPECT_TRUE(a.SetReadDeadline(Now() + absl::Hours(1)).ok());
      const absl::Time before = Now();
      EXPECT_EQ(a.Read(absl::MakeSpan(&c, 1)).status().code(), absl::StatusCode::kDeadlineExceeded);
      EXPECT_EQ(Now() - before, absl::Hours(1));
      EXPECT_TRUE(a.SetReadDeadline(Now() + absl::Hours(3)).ok());
      Go([&b = b] {
        Sleep(absl::Hours(2));
        EXPECT_TRUE(b.Write("x").ok());
      });
      EXPECT_EQ(*a.Read(absl::MakeSpan(&c, 1)), 1u);
      EXPECT_EQ(Now() - before, absl::Hours(3));
    });
    EXPECT_LT(absl::Now() - start, absl::Minutes(1));
    return 0;
  });
}

}  // namespace
}  // namespace gort
