// netpoll/testing/poller_fake.h: a poller whose events a test makes up; no file descriptors.
// What      the backend poller_fake.cc, and the strings a test pulls.
// Layer     9, tests only. Any thread.
#ifndef GORT_NETPOLL_TESTING_POLLER_FAKE_H_
#define GORT_NETPOLL_TESTING_POLLER_FAKE_H_

#include <cstdint>

namespace gort::rt {

// Makes a PollerPoll return {token, mode}. At most kFakePollerEvents may be outstanding: fatal.
inline constexpr int kFakePollerEvents = 64;
void FakePollerInject(uint64_t token, uint32_t mode);

struct FakePollerStats {
  int64_t polls = 0;      // calls of PollerPoll
  int64_t waits = 0;      // of these, with a delay other than 0
  int64_t breaks = 0;     // calls of PollerBreak
  int64_t last_wait = 0;  // delay_ns of the newest wait
  int32_t waiting = 0;    // 1 while a poll waits
};
FakePollerStats FakePollerRead();

}  // namespace gort::rt

#endif  // GORT_NETPOLL_TESTING_POLLER_FAKE_H_
