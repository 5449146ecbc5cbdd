// tests/anycode/liburing.cc: a ring of io_uring for each worker.
#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstring>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/patterns.h"
#include "gort/tests/anycode/row.h"

namespace anycode {
namespace {

constexpr std::chrono::milliseconds kWait{20};

class Ring {
 public:
  Ring() { works_ = io_uring_queue_init(8, &ring_, 0) == 0; }
  ~Ring() {
    if (works_) io_uring_queue_exit(&ring_);
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  bool works() const { return works_; }

  io_uring_sqe* Entry() { return io_uring_get_sqe(&ring_); }
  // Submits and waits for the one result.
  int Result() {
    const int submitted = io_uring_submit(&ring_);
    if (submitted != 1) return Wrong("io_uring_submit: %s", strerror(-submitted)), -1;
    io_uring_cqe* done = nullptr;
    const int waited = io_uring_wait_cqe(&ring_, &done);
    if (waited != 0) return Wrong("io_uring_wait_cqe: %s", strerror(-waited)), -1;
    const int result = done->res;
    io_uring_cqe_seen(&ring_, done);
    return result;
  }

 private:
  io_uring ring_;
  bool works_;
};

class Court {
 public:
  Court() { ExpectCall(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends_), "socketpair"); }
  ~Court() {
    for (int end : ends_) close(end);
  }
  void Post(int side, int64_t v) {
    io_uring_prep_send(rings_[1 - side].Entry(), ends_[1 - side], &v, sizeof(v), 0);
    ExpectEq(8, rings_[1 - side].Result(), "send");
  }
  int64_t Wait(int side) {
    int64_t v = -1;
    io_uring_prep_recv(rings_[side].Entry(), ends_[side], &v, sizeof(v), 0);
    ExpectEq(8, rings_[side].Result(), "recv");
    return v;
  }

 private:
  int ends_[2];
  Ring rings_[2];
};

Task Timeout(int) {
  return {.work =
              [](Worker& w) {
                Ring ring;
                while (w.Next()) {
                  __kernel_timespec t = {0, std::chrono::nanoseconds(kWait).count()};
                  const Clock::time_point start = Clock::now();
                  io_uring_prep_timeout(ring.Entry(), &t, 0, 0);
                  ExpectEq(-ETIME, ring.Result(), "the time-out");
                  Expect(Clock::now() - start >= kWait, "the time-out was early");
                }
              },
          .waits = kWait};
}

}  // namespace

Family Uring() {
  return {"uring", {{"uring_socket", PingPong<Court>}, {"uring_timeout", Timeout}}};
}

}  // namespace anycode
