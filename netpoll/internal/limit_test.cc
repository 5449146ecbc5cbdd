// The poller's fatal error when there are no descriptors left, in a child process of its own.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "gort/netpoll/internal/poller.h"

namespace gort::rt {
namespace {

TEST(PollerLimit, NamesTheLimit) {
  int out[2];
  ASSERT_EQ(pipe(out), 0);
  pid_t child = fork();  // no threads yet
  ASSERT_GE(child, 0);
  if (child == 0) {
    dup2(out[1], 2);
    rlimit limit{4, 4};
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int fd = 3; fd < 32; ++fd) close(fd);
    while (dup(2) >= 0) {
    }
    PollerInit();
    _exit(0);
  }
  close(out[1]);
  std::string text;
  char buf[512];
  for (ssize_t n; (n = read(out[0], buf, sizeof buf)) > 0;) text.append(buf, n);
  close(out[0]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 2);
  EXPECT_NE(
      text.find("fatal error: netpoll: cannot create the poller: epoll_create1: too many open "
                "files in this process (ulimit -n is 4)"),
      std::string::npos)
      << text;
}

}  // namespace
}  // namespace gort::rt
