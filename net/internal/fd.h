// net/internal/fd.h: a socket, which Conn, Listener and PacketConn wrap.
// What      a descriptor, its poll descriptor and locks. Every call may come from any
//           goroutine or foreign thread, Close included; one Read and one Write go on at once, more
//           of them wait for each other in turn.
// Layer     11, used by net only.                       Go: netFD (fd_unix.go), poll.FD
// Life      two owners: the handle (FdHandle) and the open descriptor, which ends when Close was
//           called and the last operation has left. Each operation has a reference on the latter.
// Errors    "<op> <network> <local>-><remote>: <what happened>", as Go's OpError.
// Contract  | call               | user G | g0 | foreign | parks | allocates          |
//           | Read, Write, …     |   x    | -  |    x    |   x   | in error texts     |
//           | Close              |   x    | -  |    x    |   x   |         -          |
//           | SetDeadline        |   x    | -  |    x    |   -   | timer heap         |
#ifndef GORT_NET_INTERNAL_FD_H_
#define GORT_NET_INTERNAL_FD_H_

#include <sys/socket.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gort/context/context.h"
#include "gort/net/addr.h"
#include "gort/net/internal/fd_handle.h"
#include "gort/net/internal/fd_mutex.h"
#include "gort/netpoll/internal/poll_desc.h"

namespace gort::rt {

class CallEnd;
class NetFd;

// What reads and writes go to: recv and send, or read and write.
enum class FdKind : uint8_t { kSocket, kFile };

// "<op> <network> <addr>: <call>: <text of error>"; call may be null. error > 0: an errno value.
absl::Status OpError(const char* op, std::string_view network, const std::string& addr,
                     const char* call, int error);
// The text that Go has for it.
inline constexpr char kClosedText[] = "use of closed network connection";
inline constexpr char kTimeoutText[] = "i/o timeout";

// What was received from where.
struct Received {
  size_t size;
  SocketAddr from;
  bool truncated;
};

class NetFd {
 public:
  // Takes over sysfd, a non-blocking socket, and closes it if the poller refuses it. network: a
  // string that lives for ever.
  static absl::StatusOr<NetFd*> New(int sysfd, const char* network);
  // The same for a descriptor of somebody else's, which stays theirs when this fails. kind: what
  // stands behind it; it does not block. Go: newFileFD
  static absl::StatusOr<NetFd*> Adopt(int sysfd, const char* network, FdKind kind);
  NetFd(const NetFd&) = delete;
  NetFd& operator=(const NetFd&) = delete;

  // See DropFd.
  void Drop();

  // Of the next five, ctx: the end of this context ends the call; null: nothing does but deadlines
  // and Close. A call that has moved bytes says so, whatever became of its context.

  // Streams: 0 is the end. With an empty buf, 0 at once, and nothing is taken. Go: (*FD).Read
  absl::StatusOr<size_t> Read(absl::Span<char> buf, const Context* ctx = nullptr);
  // All of it, or an error; *written (may be null): how much of it the kernel took, in either case.
  // On a datagram socket: one datagram, which may be empty. Go: (*FD).Write
  absl::StatusOr<size_t> Write(std::string_view data, const Context* ctx = nullptr,
                               size_t* written = nullptr);
  // The same for several pieces, in as few system calls as the kernel allows. Go: (*FD).Writev
  absl::StatusOr<size_t> Writev(absl::Span<const std::string_view> pieces,
                                size_t* written = nullptr);
  // Datagrams. Go: (*FD).ReadFrom, (*FD).WriteTo
  absl::StatusOr<Received> ReadFrom(absl::Span<char> buf, const Context* ctx = nullptr);
  absl::StatusOr<size_t> WriteTo(std::string_view data, const SocketAddr& to,
                                 const Context* ctx = nullptr);

  // Go: (*netFD).accept
  absl::StatusOr<NetFd*> Accept(const Context* ctx = nullptr);
  // Connects; when: deadline as of PollSetDeadline. started(pd) is called with the deadline set,
  // before the wait. kTimeout's status is kDeadlineExceeded. Go: (*netFD).connect
  absl::Status Connect(const SocketAddr& to, int64_t when, void (*started)(void*, PollDesc*),
                       void* arg);

  absl::Status Shutdown(int how);
  absl::Status SetDeadline(absl::Time t, uint32_t mode);
  absl::Status SetOption(int level, int name, const void* value, socklen_t size, const char* what);
  // Calls f(sysfd); the descriptor stays open until f has returned. Go: (*FD).RawControl
  absl::Status Lend(absl::FunctionRef<absl::Status(int sysfd)> f, const char* op);
  // Wakes everybody; returns when the descriptor is closed in the kernel. Go: (*FD).Close
  absl::Status Close();
  // The same, but the descriptor stays open and is the caller's.
  absl::StatusOr<int> Release();

  SocketAddr local() const { return local_.Get(); }
  SocketAddr remote() const { return remote_.Get(); }
  const char* network() const { return network_; }
  // Before the first concurrent use.
  int sysfd() const { return sysfd_; }
  void FetchLocal();
  void FetchRemote();
  void set_unlink_path(std::string path) { unlink_ = std::make_unique<std::string>(path); }

 private:
  class Operation;

  NetFd(int sysfd, const char* network, FdKind kind, PollDesc* pd)
      : sysfd_(sysfd),
        tcp_(network[0] == 't'),
        socket_(kind == FdKind::kSocket),
        network_(network),
        pd_(pd) {}
  ~NetFd() = default;

  // The last reference is gone after Close. Go: (*FD).destroy
  void Destroy();
  void Unshare();
  void Leave() {
    if (mu_.DecRef()) Destroy();
  }
  absl::Status CloseAs(const char* op, bool keep);
  // Waits for readiness; ok: try again.
  absl::Status Wait(CallEnd* ender, const char* op);
  // At the begin of a call: forgets old edges, and looks at deadlines and the context.
  absl::Status Prepare(CallEnd* ender, const char* op);
  absl::Status Failed(PollResult result, const char* op) const;
  absl::Status Failed(int error, const char* op, const char* call = nullptr) const;
  absl::Status UseAfterClose(const char* op) const;
  absl::Status Ended(const Context& ctx, const char* op) const;
  absl::Status Exhausted(int error, const Context* ctx);
  std::string Where() const;
  // "<op> <network> <where>: ", for texts that no errno value stands behind.
  std::string Prefix(const char* op) const;

  FdMutex mu_;
  const int sysfd_;
  std::atomic<uint32_t> owners_{2};
  std::atomic<uint32_t> close_sema_{0};  // released when the descriptor is closed
  int32_t pause_ms_ = 0;                 // guarded by the read lock; Accept's pause after EMFILE
  bool short_read_ = false;              // the same; the last Read got less than it asked for
  const bool tcp_;
  const bool socket_;
  bool keep_ = false;  // written before the last reference goes; the descriptor stays open
  const char* const network_;
  PollDesc* const pd_;
  std::unique_ptr<std::string> unlink_;  // of a listener: the path to remove
  StoredAddr local_;                     // const after set-up
  StoredAddr remote_;                    // the same
};

// Of calls on an object without a connection.
absl::Status NoConnection(const char* op);

}  // namespace gort::rt

#endif  // GORT_NET_INTERNAL_FD_H_
