#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

#include "gort/netpoll/internal/poller.h"
#include "gort/netpoll/testing/poller_conformance.h"

namespace gort::rt {

Source::Source(uint64_t token) : token_(token) {
  EXPECT_EQ(pipe2(fds_, O_CLOEXEC | O_NONBLOCK), 0);
  EXPECT_EQ(PollerAdd(fds_[0], token_), 0);
}

Source::~Source() {
  EXPECT_EQ(PollerRemove(fds_[0]), 0);
  close(fds_[0]);
  close(fds_[1]);
}

void Source::MakeReadable() { EXPECT_EQ(write(fds_[1], "x", 1), 1); }

namespace {

TEST(PollerEpoll, RefusesWhatItCannotWatch) {
  PollerInit();
  EXPECT_EQ(PollerAdd(-1, kPollFirstToken), EBADF);
  EXPECT_EQ(PollerRemove(-1), EBADF);
  int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(PollerAdd(fd, kPollFirstToken), EPERM);
  close(fd);
}

TEST(PollerEpoll, HangUpIsReadableAndErrorIsBoth) {
  PollerInit();
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
  ASSERT_EQ(PollerAdd(fds[0], kPollFirstToken), 0);
  ASSERT_EQ(PollerAdd(fds[1], kPollFirstToken + 1), 0);
  PollEvent e[4];
  ASSERT_EQ(PollerPoll(0, e, 4), 1);  // the writing end is ready from the start
  EXPECT_EQ(e[0].token, kPollFirstToken + 1);
  EXPECT_EQ(e[0].mode, kPollWrite);
  close(fds[0]);
  ASSERT_EQ(PollerPoll(0, e, 4), 1);  // nobody will read: an error
  EXPECT_EQ(e[0].token, kPollFirstToken + 1);
  EXPECT_EQ(e[0].mode & (kPollRead | kPollWrite), kPollRead | kPollWrite);
  EXPECT_NE(e[0].mode & kPollSpecial, 0u);
  PollerRemove(fds[1]);
  close(fds[1]);
}

}  // namespace
}  // namespace gort::rt
