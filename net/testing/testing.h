// net/testing/testing.h: what the tests of connections share.
#ifndef GORT_NET_TESTING_TESTING_H_
#define GORT_NET_TESTING_TESTING_H_

#include <dirent.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "gort/gmp/sched.h"
#include "gort/net/net.h"
#include "gort/tests/support/goroutines.h"
#include "gtest/gtest.h"

namespace gort::testing {

// The value, or a failed test and the end of the process: nothing can be tested without.
template <class T>
T Must(absl::StatusOr<T> v) {
  if (!v.ok()) {
    ADD_FAILURE() << v.status();
    abort();
  }
  return *std::move(v);
}

struct Pair {
  Conn client;
  Conn server;
};

// Two ends of a connection over the loopback.
inline Pair TcpPair() {
  Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
  Conn client = Must(Dial("tcp", listener.Addr()));
  Conn server = Must(listener.Accept());
  return Pair{std::move(client), std::move(server)};
}

// Exactly n bytes, or fewer at the end of the stream.
inline std::string ReadN(Conn& c, size_t n) {
  std::string all(n, '\0');
  size_t have = 0;
  while (have < n) {
    absl::StatusOr<size_t> got = c.Read(absl::MakeSpan(&all[have], n - have));
    if (!got.ok()) {
      ADD_FAILURE() << got.status();
      break;
    }
    if (*got == 0) break;
    have += *got;
  }
  all.resize(have);
  return all;
}

// n goroutines or threads have parked in the poller.
inline bool Parked(uint32_t n) {
  return Eventually([n] { return rt::sched.netpoll_waiters.load() == n; });
}

inline int OpenDescriptors() {
  int n = 0;
  DIR* dir = opendir("/proc/self/fd");
  while (readdir(dir) != nullptr) ++n;
  closedir(dir);
  return n;
}

}  // namespace gort::testing

#endif  // GORT_NET_TESTING_TESTING_H_
