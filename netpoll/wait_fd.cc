#include "gort/netpoll/wait_fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gort/netpoll/internal/poll_desc.h"
#include "gort/netpoll/internal/poller.h"
#include "gort/platforms/clock.h"

namespace gort {
namespace rt {
namespace {

// A descriptor, or a negative errno value.
int Duplicate(int fd) {
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return copy >= 0 ? copy : -errno;
}

// Of what epoll does not take.
const char* WhyNot(int fd) {
  struct stat about {};
  const bool file = fstat(fd, &about) == 0 && (S_ISREG(about.st_mode) || S_ISDIR(about.st_mode));
  return file ? " is a regular file or a directory, which is always ready"
              : " cannot be waited for";
}

absl::Status Refused(int fd, int error) {
  switch (error) {
    case EPERM:
      return absl::InvalidArgumentError(absl::StrCat("descriptor ", fd, WhyNot(fd)));
    case EBADF:
      return absl::InvalidArgumentError(absl::StrCat("descriptor ", fd, " is not open"));
    case ENOSYS:
      return absl::FailedPreconditionError(absl::StrCat(
          "waiting for descriptor ", fd, ": the runtime has not started; call gort::Run first"));
    default:
      return absl::ResourceExhaustedError(
          absl::StrCat("waiting for descriptor ", fd, ": ", strerrordesc_np(error)));
  }
}

// True when fd is ready now. Asked after each wake-up: an event of the PollDesc's former user may
// come late, and the caller would take it for its own and block.
bool Ready(int fd, uint32_t mode) {
  pollfd p{fd, static_cast<short>(mode == kPollRead ? POLLIN | POLLRDHUP : POLLOUT), 0};
  return poll(&p, 1, 0) != 0;
}

absl::Status WaitFd(int fd, uint32_t mode, absl::Time deadline) {
  const int copy = Duplicate(fd);
  if (copy < 0) return Refused(fd, -copy);
  int error = 0;
  PollDesc* pd = PollOpen(copy, &error);
  if (pd == nullptr) {
    close(copy);
    return Refused(fd, error);
  }
  if (const int64_t when = PollDeadline(deadline); when != 0) PollSetDeadline(pd, when, mode);
  PollResult result;
  do {
    result = PollWait(pd, mode);
  } while (result == PollResult::kOk && !Ready(copy, mode));
  PollUnblock(pd);
  PollClose(pd);
  close(copy);
  if (result == PollResult::kTimeout) {
    return absl::DeadlineExceededError(
        absl::StrCat("waiting for descriptor ", fd, ": i/o timeout"));
  }
  return absl::OkStatus();  // nothing but an error counts as ready, too
}

}  // namespace

int64_t PollDeadline(absl::Time t) {
  if (t == absl::InfiniteFuture()) return 0;
  return PollDeadlineIn(absl::ToInt64Nanoseconds(t - absl::Now()));  // saturates
}

int64_t PollDeadlineIn(int64_t ns) {
  if (ns <= 0) return -1;
  const int64_t now = Nanotime();
  return ns >= INT64_MAX - now ? INT64_MAX : now + ns;
}

}  // namespace rt

absl::Status WaitReadable(int fd, absl::Time deadline) {
  return rt::WaitFd(fd, rt::kPollRead, deadline);
}

absl::Status WaitWritable(int fd, absl::Time deadline) {
  return rt::WaitFd(fd, rt::kPollWrite, deadline);
}

}  // namespace gort
