// Child processes: what they get, how they end, how a context ends them; no zombie is left, and no
// descriptor; with pidfds and without.
#include "gort/os/command.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gort/context/context.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/support/goroutines.h"
#include "gort/tests/support/process.h"
#include "gtest/gtest.h"

namespace gort::os {
namespace {

using gort::testing::InGort;
using gort::testing::Probe;
using gort::testing::Procs;

template <class T>
T Must(absl::StatusOr<T> v) {
  if (!v.ok()) {
    ADD_FAILURE() << v.status();
    abort();
  }
  return *std::move(v);
}

// The program of testing/echo_child.cc, run as this test is.
Command Child(std::vector<std::string> args) {
  Command command;
  command.args = gort::testing::RunUnder();
  const char* root = std::getenv("TEST_SRCDIR");
  const char* workspace = std::getenv("TEST_WORKSPACE");
  command.args.push_back(std::string(root) + '/' + workspace + "/os/echo_child");
  command.args.insert(command.args.end(), args.begin(), args.end());
  return command;
}

CommandOutput Ran(const Command& command, std::string_view input = {}) {
  return Must(Output(Background(), command, input));
}

// This process has a child, dead or alive.
bool HasChild() {
  siginfo_t info{};
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

int OpenDescriptors() {
  int n = 0;
  for (int fd = 0; fd < 1024; ++fd) n += fcntl(fd, F_GETFD) >= 0;
  return n;
}

TEST(Command, OutputAndExitStatus) {
  for (int procs : {1, 4}) {
    InGort([procs] {
      Procs p(procs);
      CommandOutput got = Ran(Child({"out", "hello"}));
      EXPECT_TRUE(got.status.ok());
      EXPECT_EQ(got.out, "out hello\n");
      EXPECT_EQ(got.err, "");
      EXPECT_EQ(Ran(Child({"err", "oh"})).err, "err oh\n");
      got = Ran(Child({"exit", "3"}));
      EXPECT_EQ(got.status, ExitStatus(3, 0));
      EXPECT_EQ(got.status.ToString(), "exit status 3");
      got = Ran(Child({"kill", std::to_string(SIGKILL)}));
      EXPECT_EQ(got.status, ExitStatus(0, SIGKILL));
      EXPECT_EQ(got.status.ToString(), "signal: SIGKILL");
      EXPECT_FALSE(HasChild());
    });
  }
}

TEST(Command, MuchInputComesBack) {
  InGort([] {
    std::string much(size_t{3} << 20, 'x');
    for (size_t i = 0; i < much.size(); ++i) much[i] = static_cast<char>('a' + i % 26);
    EXPECT_EQ(Ran(Child({"copy"}), much).out, much);
    // A child that wants none of it is no error, and no SIGPIPE.
    EXPECT_TRUE(Ran(Child({"exit", "0"}), much).status.ok());
  });
}

TEST(Command, PipesAreConnections) {
  InGort([] {
    Command command = Child({"copy"});
    command.in = Stdio::Pipe();
    command.out = Stdio::Pipe();
    Process process = Must(Process::Start(Background(), command));
    char buf[16];
    EXPECT_TRUE(process.out().SetReadDeadline(absl::Now() + absl::Milliseconds(5)).ok());
    EXPECT_EQ(process.out().Read(absl::MakeSpan(buf)).status().code(),
              absl::StatusCode::kDeadlineExceeded);
    EXPECT_TRUE(process.out().SetReadDeadline(absl::InfiniteFuture()).ok());
    for (int i = 0; i < 3; ++i) {
      Must(process.in().Write("ping"));
      EXPECT_EQ(Must(process.out().Read(absl::MakeSpan(buf))), 4u);
    }
    EXPECT_TRUE(process.in().Close().ok());
    EXPECT_EQ(Must(process.out().Read(absl::MakeSpan(buf))), 0u);
    EXPECT_TRUE(Must(process.Wait()).ok());
    EXPECT_EQ(process.err().Read(absl::MakeSpan(buf)).status().code(),
              absl::StatusCode::kFailedPrecondition);
  });
}

TEST(Command, DirectoryAndEnvironment) {
  InGort([] {
    Command command = Child({"dir"});
    command.dir = "/";
    EXPECT_EQ(Ran(command).out, "/\n");
    setenv("GORT_COMMAND_TEST", "mine", 1);
    command = Child({"env", "GORT_COMMAND_TEST"});
    EXPECT_EQ(Ran(command).out, "mine\n");
    command.env = {"GORT_COMMAND_TEST=theirs"};
    EXPECT_EQ(Ran(command).out, "theirs\n");
    command.env = std::vector<std::string>();
    EXPECT_EQ(Ran(command).out, "-\n");
  });
}

TEST(Command, TheChildHasNoDescriptorsButItsOwn) {
  if (gort::testing::Emulated()) GTEST_SKIP() << "the emulator has descriptors of its own";
  InGort([] {
    const int leak = open("/dev/null", O_RDWR);  // not closed by exec
    const int passed = open("/dev/null", O_RDWR | O_CLOEXEC);
    EXPECT_EQ(Ran(Child({"fds"})).out, "1 2 \n");
    Command command = Child({"fds"});
    // Also where the child's numbers are ours of others.
    command.pass_fds = {passed, 2, passed};
    EXPECT_EQ(Ran(command).out, "1 2 3 4 5 \n");
    close(leak);
    close(passed);
  });
}

TEST(Command, TheChildsSignalsAreAsAtOurStart) {
  InGort([] {
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, nullptr);
    signal(SIGPIPE, SIG_IGN);
    EXPECT_EQ(Ran(Child({"signals"})).out, "usr1 blocked 0, pipe default 1\n");
    signal(SIGPIPE, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &usr1, nullptr);
  });
}

absl::Status Start(const Command& command) {
  return Process::Start(Background(), command).status();
}

TEST(Command, WhatMakesNoSense) {
  InGort([] {
    Command command;
    EXPECT_EQ(Start(command), absl::InvalidArgumentError("start: no program"));
    command.args = {""};
    EXPECT_EQ(Start(command), absl::InvalidArgumentError("start: no program"));
    command.args = {std::string("a\0b", 3)};
    EXPECT_EQ(Start(command).code(), absl::StatusCode::kInvalidArgument);
    command = Child({"exit", "0"});
    command.dir = std::string("/\0b", 3);
    EXPECT_EQ(Start(command).code(), absl::StatusCode::kInvalidArgument);
    command = Child({"exit", "0"});
    command.env = {std::string("A=a\0b", 5)};
    EXPECT_EQ(Start(command).code(), absl::StatusCode::kInvalidArgument);
  });
}

TEST(Command, WhatCannotBeStarted) {
  // The emulator's vfork is a fork, so that a failed exec has no way to its parent.
  if (gort::testing::Emulated()) GTEST_SKIP() << "the emulator knows of no vfork";
  InGort([] {
    const int before = OpenDescriptors();
    Command command;
    command.args = {"/no/such/program"};
    command.in = command.out = command.err = Stdio::Pipe();
    EXPECT_EQ(Start(command),
              absl::NotFoundError("start /no/such/program: No such file or directory"));
    command.args = {"gort-no-such-program-in-the-path"};
    EXPECT_EQ(Start(command).code(), absl::StatusCode::kNotFound);
    command.args = {"/proc/self/status"};
    EXPECT_EQ(Start(command).code(), absl::StatusCode::kPermissionDenied);
    command = Child({"exit", "0"});
    command.dir = "/no/such/directory";
    EXPECT_EQ(Start(command).code(), absl::StatusCode::kNotFound);
    command.dir = "";
    for (int fd : {100'000, -1, -2, -3}) {
      command.out = Stdio::Fd(fd);
      EXPECT_FALSE(Start(command).ok()) << fd;
    }
    auto [over, cancel] = WithCancel(Background());
    cancel();
    EXPECT_EQ(Process::Start(over, Child({"exit", "0"})).status().code(),
              absl::StatusCode::kCancelled);
    EXPECT_FALSE(HasChild());
    EXPECT_EQ(OpenDescriptors(), before);
  });
}

// Waits until the child says that it has set its signals.
void AwaitReady(Process* process) {
  std::string said;
  char c = 0;
  while (c != '\n') {
    if (Must(process->out().Read(absl::MakeSpan(&c, 1))) == 0) break;
    said += c;
  }
  EXPECT_EQ(said, "ready\n");
}

TEST(Process, ASignalEndsItAndLaterOnesAreRefused) {
  InGort([] {
    Command command = Child({"wait"});
    command.out = Stdio::Pipe();
    Process process = Must(Process::Start(Background(), command));
    AwaitReady(&process);
    EXPECT_EQ(process.Signal(1000).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(process.Signal(SIGTERM).ok());
    for (int i = 0; i < 2; ++i) EXPECT_EQ(Must(process.Wait()), ExitStatus(0, SIGTERM));
    EXPECT_EQ(process.Signal(SIGTERM).code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(Process().Wait().status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(Process().pid(), -1);
  });
}

TEST(Process, ItsContextEndsItGentlyAndThenNot) {
  InGort([] {
    struct Case {
      const char* what;
      absl::Duration grace;
      int signal;
    };
    const Case cases[] = {{"wait", absl::Hours(1), SIGTERM},
                          {"stubborn", absl::Milliseconds(20), SIGKILL}};
    for (const Case& c : cases) {
      Command command = Child({c.what});
      command.out = Stdio::Pipe();
      command.grace = c.grace;
      auto scope = WithCancel(Background());
      Process process = Must(Process::Start(scope.first, command));
      AwaitReady(&process);
      scope.second();
      EXPECT_EQ(Must(process.Wait()), ExitStatus(0, c.signal)) << c.what;
    }
    // A signal that there is not does not save it.
    Command command = Child({"wait"});
    command.end_signal = 1000;
    command.grace = absl::Milliseconds(1);
    auto scope = WithCancel(Background());
    Process process = Must(Process::Start(scope.first, command));
    scope.second();
    EXPECT_EQ(Must(process.Wait()), ExitStatus(0, SIGKILL));
    auto [soon, cancel] = WithTimeout(Background(), absl::Milliseconds(100));
    EXPECT_EQ(Output(soon, Child({"wait"})).status().code(), absl::StatusCode::kDeadlineExceeded);
    cancel();
    EXPECT_FALSE(HasChild());
  });
}

TEST(Process, AWaitMayBeGivenUpAndTheChildGoesOn) {
  InGort([] {
    Process process = Must(Process::Start(Background(), Child({"wait"})));
    auto [soon, cancel] = WithTimeout(Background(), absl::Milliseconds(5));
    EXPECT_EQ(process.Wait(soon).status().code(), absl::StatusCode::kDeadlineExceeded);
    cancel();
    Probe waiter([&] { EXPECT_EQ(Must(process.Wait()), ExitStatus(0, SIGINT)); });
    EXPECT_FALSE(waiter.done());
    EXPECT_TRUE(process.Signal(SIGINT).ok());
    EXPECT_TRUE(waiter.Finish());
  });
}

TEST(Process, TheEndOfTheHandleIsTheEndOfTheChild) {
  InGort([] {
    const int before = OpenDescriptors();
    {
      Process process = Must(Process::Start(Background(), Child({"wait"})));
      Process moved = std::move(process);
      EXPECT_EQ(process.pid(), -1);
      moved = Must(Process::Start(Background(), Child({"wait"})));
    }
    EXPECT_FALSE(HasChild());
    EXPECT_TRUE(gort::testing::Eventually([&] { return OpenDescriptors() == before; }));
  });
}

TEST(Process, OneThatWasDetachedIsReapedAllTheSame) {
  InGort([] {
    auto scope = WithCancel(Background());
    Process process = Must(Process::Start(scope.first, Child({"wait"})));
    const int pid = process.pid();
    process.Detach();
    scope.second();
    EXPECT_EQ(kill(pid, 0), 0);
    EXPECT_TRUE(HasChild());
    kill(pid, SIGKILL);
    EXPECT_TRUE(gort::testing::Eventually([] { return !HasChild(); }));
  });
}

TEST(Process, ManyAtOnceFromGoroutinesAndThreads) {
  InGort([] {
    const int n = gort::testing::Slow() ? 8 : 40;
    WaitGroup wg;
    for (int i = 0; i < n; ++i) {
      wg.Go([i] {
        const CommandOutput got = Ran(Child({"out", std::to_string(i)}));
        EXPECT_EQ(got.out, "out " + std::to_string(i) + '\n');
      });
    }
    std::thread t = gort::testing::AttachedThread([] {
      EXPECT_EQ(Ran(Child({"exit", "7"})).status.code(), 7);
    });
    t.join();
    wg.Wait();
    EXPECT_FALSE(HasChild());
  });
}

}  // namespace
}  // namespace gort::os
