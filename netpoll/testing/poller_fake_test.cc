#include "gort/netpoll/testing/poller_fake.h"

#include <gtest/gtest.h>

#include "gort/netpoll/internal/poller.h"
#include "gort/netpoll/testing/poller_conformance.h"

namespace gort::rt {

Source::Source(uint64_t token) : token_(token) {}
Source::~Source() { static_cast<void>(fds_); }
void Source::MakeReadable() { FakePollerInject(token_, kPollRead); }

namespace {

TEST(PollerFake, CountsCalls) {
  PollEvent e[1];
  FakePollerStats before = FakePollerRead();
  PollerPoll(0, e, 1);
  PollerBreak();
  PollerPoll(777'000'000'000, e, 1);
  FakePollerStats after = FakePollerRead();
  EXPECT_EQ(after.polls - before.polls, 2);
  EXPECT_EQ(after.waits - before.waits, 1);
  EXPECT_EQ(after.breaks - before.breaks, 1);
  EXPECT_EQ(after.last_wait, 777'000'000'000);
  EXPECT_EQ(after.waiting, 0);
}

}  // namespace
}  // namespace gort::rt
