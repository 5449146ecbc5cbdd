// netpoll/testing/poller_conformance.h: what the suite needs of a backend beyond the contract.
#ifndef GORT_NETPOLL_TESTING_POLLER_CONFORMANCE_H_
#define GORT_NETPOLL_TESTING_POLLER_CONFORMANCE_H_

#include <cstdint>

namespace gort::rt {

// A source of readiness, registered with the poller under `token`. Defined by each backend's test.
class Source {
 public:
  explicit Source(uint64_t token);
  ~Source();
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  // Makes it ready for reading; returns when the poller can know.
  void MakeReadable();

 private:
  uint64_t token_;
  int fds_[2] = {-1, -1};
};

}  // namespace gort::rt

#endif  // GORT_NETPOLL_TESTING_POLLER_CONFORMANCE_H_
