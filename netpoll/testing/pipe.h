// netpoll/testing/pipe.h: a pipe that does not block, for tests of readiness.
#ifndef GORT_NETPOLL_TESTING_PIPE_H_
#define GORT_NETPOLL_TESTING_PIPE_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace gort::testing {

// Closes the ends that are not -1.
struct Pipe {
  Pipe() { EXPECT_EQ(pipe2(fd, O_CLOEXEC | O_NONBLOCK), 0); }
  ~Pipe() {
    for (int f : fd) {
      if (f >= 0) close(f);
    }
  }
  void Put() { EXPECT_EQ(write(fd[1], "x", 1), 1); }
  void Take() {
    char c;
    EXPECT_EQ(read(fd[0], &c, 1), 1);
  }
  int fd[2] = {-1, -1};
};

}  // namespace gort::testing

#endif  // GORT_NETPOLL_TESTING_PIPE_H_
