// net/testing/testing.h: what the tests of connections share.
#ifndef GORT_NET_TESTING_TESTING_H_
#define GORT_NET_TESTING_TESTING_H_

#include <dirent.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gort/gmp/sched.h"
#include "gort/net/addr.h"
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

// A socket option as the kernel has it; -1: it has no such one.
inline int IntOption(int sysfd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return getsockopt(sysfd, level, name, &value, &size) == 0 ? value : -1;
}

// The descriptor of this process whose socket has these two ends ("" for none); -1: there is none.
inline int SocketBetween(const std::string& local, const std::string& remote) {
  using NameOf = int (*)(int, sockaddr*, socklen_t*);
  const auto name = [](int fd, NameOf of) {
    sockaddr_storage addr{};
    socklen_t size = sizeof addr;
    if (of(fd, reinterpret_cast<sockaddr*>(&addr), &size) != 0) return std::string();
    return SocketAddr(reinterpret_cast<sockaddr*>(&addr), size).ToString();
  };
  constexpr int kMost = 1024;
  for (int fd = 0; fd < kMost; ++fd) {
    if (IntOption(fd, SOL_SOCKET, SO_DOMAIN) < 0) continue;
    const NameOf here = [](int s, sockaddr* a, socklen_t* n) { return getsockname(s, a, n); };
    const NameOf there = [](int s, sockaddr* a, socklen_t* n) { return getpeername(s, a, n); };
    if (name(fd, here) == local && name(fd, there) == remote) return fd;
  }
  return -1;
}
inline int SocketOf(const Conn& c) { return SocketBetween(c.LocalAddr(), c.RemoteAddr()); }

// A listener whose queue is full: further connections hang.
class FullListener {
 public:
  FullListener() {
    ListenOptions options;
    options.backlog = 1;
    listener_ = Must(Listen("tcp", "127.0.0.1:0", options));
    for (int i = 0; i < 16; ++i) {
      absl::StatusOr<Conn> c = Dial("tcp", listener_.Addr(), absl::Milliseconds(20));
      if (!c.ok()) return;
      queued_.push_back(*std::move(c));
    }
    ADD_FAILURE() << "the queue does not fill";
  }
  std::string Addr() const { return listener_.Addr(); }

 private:
  Listener listener_;
  std::vector<Conn> queued_;
};

// Sockets alone: the monitor and the C library open a file for a moment now and then. By the names
// of the links: fstat of a descriptor that somebody closes meanwhile is a race to ThreadSanitizer.
inline int OpenSockets() {
  int n = 0;
  DIR* dir = opendir("/proc/self/fd");
  while (const dirent* entry = readdir(dir)) {
    char kind[8] = {};
    const ssize_t size = readlinkat(dirfd(dir), entry->d_name, kind, sizeof kind);
    if (std::string_view(kind, std::max<ssize_t>(size, 0)).starts_with("socket:")) ++n;
  }
  closedir(dir);
  return n;
}

}  // namespace gort::testing

#endif  // GORT_NET_TESTING_TESTING_H_
