// A server is replaced by a new process of itself twice, under clients: no connection is lost.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>

#include "absl/time/time.h"
#include "gort/base/attributes.h"
#include "gort/net/net.h"
#include "gort/os/os.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/support/goroutines.h"
#include "gort/tests/support/process.h"
#include "gtest/gtest.h"

namespace gort::os {
namespace {

using gort::testing::Eventually;
using gort::testing::InGort;

// One question; "": it failed.
std::string Ask(const std::string& address) {
  absl::StatusOr<Conn> conn = Dial("tcp", address, absl::Seconds(30));
  if (!conn.ok() || !conn->Write("?").ok()) return "";
  std::string answer;
  char buf[32];
  for (;;) {
    absl::StatusOr<size_t> n = conn->Read(absl::MakeSpan(buf));
    if (!n.ok()) return "";
    if (*n == 0) return answer;
    answer.append(buf, *n);
  }
}

std::string Line(Conn* from) {
  std::string line;
  for (char c; from->Read(absl::MakeSpan(&c, 1)).value_or(0) == 1 && c != '\n';) line += c;
  return line;
}

struct Announced {
  std::string address;
  int pid;
};
Announced Next(Conn* from) {
  const std::string line = Line(from);
  const size_t space = line.find(' ');
  if (space == line.npos) return {};
  return Announced{line.substr(0, space), std::atoi(line.c_str() + space + 1)};
}

Command Server() {
  Command command;
  command.args = gort::testing::RunUnder();
  command.args.push_back(std::string(std::getenv("TEST_SRCDIR")) + '/' +
                         std::getenv("TEST_WORKSPACE") + "/os/restart_server");
  command.out = Stdio::Pipe();
  return command;
}

TEST(Restart, NoConnectionIsLost) {
  if (GORT_TSAN) GTEST_SKIP() << "ThreadSanitizer keeps a signal from a process that only waits";
  InGort([] {
    Process first = *Process::Start(Background(), Server());
    Announced now = Next(&first.out());
    ASSERT_GT(now.pid, 0);
    std::atomic<bool> over{false};
    std::atomic<int> failed{0};
    std::atomic<int> last_pid{0};
    WaitGroup clients;
    for (int i = 0; i < 4; ++i) {
      clients.Go([&, address = now.address] {
        while (!over.load()) {
          const std::string pid = Ask(address);
          if (pid.empty()) ++failed;
          if (!pid.empty()) last_pid = std::atoi(pid.c_str());
        }
      });
    }
    for (int restart = 0; restart < 2; ++restart) {
      EXPECT_EQ(kill(now.pid, SIGHUP), 0);
      const Announced next = Next(&first.out());
      EXPECT_EQ(next.address, now.address);
      EXPECT_NE(next.pid, now.pid);
      EXPECT_TRUE(Eventually([&] { return last_pid.load() == next.pid; }));
      now = next;
    }
    EXPECT_TRUE(first.Wait()->ok());
    over.store(true);
    clients.Wait();
    EXPECT_EQ(failed.load(), 0);
    kill(now.pid, SIGKILL);
  });
}

}  // namespace
}  // namespace gort::os
