// A server that answers each connection with its process number, and hands its listener to a new
// process of itself on SIGHUP. For restart_test.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "gort/net/net.h"
#include "gort/os/os.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/support/goroutines.h"
#include "gort/tests/support/process.h"

// The one that waits for the next process, which outlives this one.
GORT_TEST_LEAVES_GOROUTINES_BEHIND

namespace gort {
namespace {

constexpr int kListenerFd = 3;
constexpr int kReadyFd = 4;

class Server {
 public:
  explicit Server(Listener listener) : listener_(std::move(listener)) {
    running_.Go([this] { AcceptAll(); });
  }
  // Takes no new connections; returns when those that are open have been answered.
  void Shutdown() {
    listener_.Close().IgnoreError();
    running_.Wait();
  }
  Listener& listener() { return listener_; }

 private:
  void AcceptAll() {
    for (;;) {
      absl::StatusOr<Conn> conn = listener_.Accept();
      if (!conn.ok()) return;
      running_.Go([c = *std::move(conn)]() mutable { Answer(std::move(c)); });
    }
  }
  static void Answer(Conn conn) {
    char byte;
    if (conn.Read(absl::MakeSpan(&byte, 1)).ok()) {
      conn.Write(std::to_string(getpid())).status().IgnoreError();
    }
  }

  Listener listener_;
  WaitGroup running_;
};

// Starts this program again, with the listener, and waits until it accepts.
bool StartNext(const char* program, Listener* listener) {
  absl::StatusOr<int> fd = listener->Dup();
  int ready[2];
  if (!fd.ok() || pipe(ready) != 0) return false;
  os::Command command;
  command.args = testing::RunUnder();
  command.args.insert(command.args.end(), {program, "inherited"});
  command.pass_fds = {*fd, ready[1]};
  absl::StatusOr<os::Process> next = os::Process::Start(Background(), command);
  close(*fd);
  close(ready[1]);
  absl::StatusOr<Conn> sign = Conn::FromFd(ready[0]);
  char byte;
  if (!next.ok() || !sign.ok() || !sign->Read(absl::MakeSpan(&byte, 1)).ok()) return false;
  next->Detach();
  return true;
}

void Serve(const char* program, Listener listener, bool inherited) {
  RecvChan<int> signals = os::Notify({SIGHUP});
  Server server(std::move(listener));
  std::printf("%s %d\n", server.listener().Addr().c_str(), getpid());
  std::fflush(stdout);
  if (inherited) static_cast<void>(!write(kReadyFd, "x", 1));
  while (signals.Recv().has_value()) {
    if (StartNext(program, &server.listener())) break;
  }
  server.Shutdown();
}

}  // namespace
}  // namespace gort

int main(int argc, char** argv) {
  const bool inherited = argc > 1;
  gort::testing::InGort([&] {
    absl::StatusOr<gort::Listener> listener =
        inherited ? gort::Listener::FromFd(gort::kListenerFd) : gort::Listen("tcp", "127.0.0.1:0");
    if (listener.ok()) gort::Serve(argv[0], *std::move(listener), inherited);
  });
}
