// gort/netpoll/wait_fd.h: waiting for descriptors that other libraries own.
// What      WaitReadable, WaitWritable: park the calling goroutine (or foreign thread) until a read
//           or a write on fd would not block, as poll(2) would have it; errors and hang-ups count.
// Layer     9. Sockets, pipes, FIFOs, ttys, eventfds and whatever else epoll takes, blocking or
//           not; any number of waiters for one descriptor.
// Deadline  infinite future: none. One that has passed is kDeadlineExceeded even if fd is ready.
// Errors    kInvalidArgument: fd is a regular file or a directory (those never wait), something else
//           that epoll does not take (/dev/null), or no open descriptor; kResourceExhausted: no
//           descriptor left; kFailedPrecondition: the runtime has not started. The text names fd.
// Cost      five system calls besides the poller's: the wait goes by a duplicate of fd, so that fd may
//           be closed, and its number used again, in the middle of it; the file stays open until the
//           wait ends.
// Contract  | call         | user G | g0 | no P | gsignal | foreign | parks | allocates   |
//           | WaitReadable |   x    | -  |  -   |    -    |    x    |   x   | never freed |
//                                                                  Go: RawConn.Read (syscall)
#ifndef GORT_NETPOLL_WAIT_FD_H_
#define GORT_NETPOLL_WAIT_FD_H_

#include <chrono>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace gort {

absl::Status WaitReadable(int fd, absl::Time deadline = absl::InfiniteFuture());
absl::Status WaitWritable(int fd, absl::Time deadline = absl::InfiniteFuture());
inline absl::Status WaitReadable(int fd, std::chrono::system_clock::time_point deadline) {
  return WaitReadable(fd, absl::FromChrono(deadline));
}
inline absl::Status WaitWritable(int fd, std::chrono::system_clock::time_point deadline) {
  return WaitWritable(fd, absl::FromChrono(deadline));
}

namespace rt {

// t on the monotonic clock as PollSetDeadline takes it: 0 for the infinite future, negative for
// what has passed. The distance is measured now: the wall clock may jump afterwards.
int64_t PollDeadline(absl::Time t);
// The same for `ns` nanoseconds from now. Always in real time, also in a bubble of testing/.
int64_t PollDeadlineIn(int64_t ns);

}  // namespace rt
}  // namespace gort

#endif  // GORT_NETPOLL_WAIT_FD_H_
