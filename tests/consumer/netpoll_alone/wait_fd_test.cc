// A descriptor of the program's own, without sockets of gort.
#include "gort/netpoll/wait_fd.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "gort/runtime.h"
#include "gtest/gtest.h"

TEST(WaitFdAlone, WaitsForTheOtherEnd) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_NONBLOCK), 0);
  char got = 0;
  int result = gort::Run([&] {
    if (read(ends[0], &got, 1) != -1 || errno != EAGAIN) return 1;
    gort::Go([&ends] { (void)!write(ends[1], "x", 1); });
    if (!gort::WaitReadable(ends[0]).ok()) return 2;
    if (read(ends[0], &got, 1) != 1) return 3;
    if (!gort::WaitWritable(ends[1]).ok()) return 4;
    return gort::WaitReadable(ends[0], absl::Now() + absl::Milliseconds(5)).ok() ? 5 : 0;
  });
  EXPECT_EQ(result, 0);
  EXPECT_EQ(got, 'x');
  close(ends[0]);
  close(ends[1]);
}
