// gort/os/command.h: child processes.
// What      Command says what to run and what its standard streams are; Process::Start runs it;
//           Output runs it and collects what it prints. A context ends a child: first by a signal,
//           then by SIGKILL.
// Layer     12.                                       Go: package os/exec, os.Process
// Child     started by posix_spawn: safe beside other threads and goroutines. It has the
//           descriptors 0, 1, 2 and those of pass_fds, which become 3, 4, …, and no others; the
//           signal mask that this process was started with; the default action for each signal but
//           those that this process ignores, and for SIGPIPE in any case.
// Zombies   there are none: each child has a goroutine that waits for its end, by a pidfd where the
//           kernel has them (5.3), else in a thread. The program must not wait for children that
//           are not its own (waitpid(-1), SIGCHLD ignored): it would take ours.
// Errors    kInvalidArgument: the command makes no sense; kNotFound, kPermissionDenied and others:
//           what the kernel says ("start /no/such: No such file or directory");
//           kFailedPrecondition: gort::Run has not begun. How a child ended is no error but a value.
// Contract  | call          | goroutine | foreign thread | parks | allocates |
//           | Start, Output |     x     |   blocks it    |   x   |     x     |
//           | Wait          |     x     |   blocks it    |   x   |     -     |
//           | Signal        |     x     |       x        |   x   | on errors |
#ifndef GORT_OS_COMMAND_H_
#define GORT_OS_COMMAND_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gort/context/context.h"
#include "gort/net/conn.h"

namespace gort {
namespace rt {
struct Child;
}  // namespace rt

namespace os {

// How a child ended.
class ExitStatus {
 public:
  ExitStatus() = default;
  // code: what it exited with; or signal: what killed it, if that is not 0.
  ExitStatus(int code, int signal) : code_(code), signal_(signal) {}

  // It exited with 0.
  bool ok() const { return code_ == 0 && signal_ == 0; }
  // -1: a signal killed it.
  int code() const { return signal_ == 0 ? code_ : -1; }
  // 0: it exited by itself.
  int signal() const { return signal_; }
  // "exit status 3", "signal: SIGTERM".
  std::string ToString() const;
  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;

 private:
  int code_ = 0;
  int signal_ = 0;
};

// What a standard stream of a child is.
class Stdio {
 public:
  // /dev/null.
  static Stdio Null() { return Stdio(kNull); }
  // This process's own.
  static Stdio Inherit() { return Stdio(kInherit); }
  // A pipe, the other end of which Process has.
  static Stdio Pipe() { return Stdio(kPipe); }
  // The child gets a copy of this descriptor, which stays the caller's and must be open until Start
  // returns.
  static Stdio Fd(int fd) { return Stdio(fd >= 0 ? fd : kNone); }

  bool is_null() const { return fd_ == kNull; }
  bool is_inherited() const { return fd_ == kInherit; }
  bool is_pipe() const { return fd_ == kPipe; }
  int fd() const { return fd_; }

 private:
  static constexpr int kNull = -1;
  static constexpr int kInherit = -2;
  static constexpr int kPipe = -3;
  static constexpr int kNone = -4;  // what Fd was given is no descriptor: Start fails
  explicit Stdio(int fd) : fd_(fd) {}
  int fd_;
};

struct Command {
  // The program, by its path or by a name to look for in $PATH, and its arguments.
  std::vector<std::string> args;
  std::string dir = {};                                        // "": this process's
  std::optional<std::vector<std::string>> env = std::nullopt;  // "NAME=value"; none: this process's
  Stdio in = Stdio::Null();
  Stdio out = Stdio::Inherit();
  Stdio err = Stdio::Inherit();
  std::vector<int> pass_fds = {};  // become 3, 4, … of the child; they stay the caller's
  // When the context of Start ends: the signal that the child gets, and how long it then has before
  // SIGKILL.
  int end_signal = 15;  // SIGTERM
  absl::Duration grace = absl::Seconds(10);
};

// A child. Move-only. Its destructor kills the child, if it still runs, and waits for its end.
class Process {
 public:
  // No child: calls fail with kFailedPrecondition.
  Process() = default;
  Process(Process&&) noexcept = default;
  Process& operator=(Process&& other) noexcept;
  ~Process();

  // Starts command. The end of ctx ends the child, as Command says. Go: Cmd.Start
  static absl::StatusOr<Process> Start(const Context& ctx, const Command& command);

  // Waits for the end of the child. Any number of callers; each gets the same. Go: Cmd.Wait
  absl::StatusOr<ExitStatus> Wait();
  // Gives up waiting when ctx ends; the child goes on.
  absl::StatusOr<ExitStatus> Wait(const Context& ctx);
  // Sends a signal; kFailedPrecondition "process has finished". Go: Process.Signal
  absl::Status Signal(int sig);
  // The child goes on without this object, and ctx ends it no more. Go: Process.Release
  void Detach();

  int pid() const;  // -1: no child
  // This process's ends of the streams that are pipes; without a connection for the others. Close
  // in() to let the child see the end of its input.
  Conn& in() { return in_; }
  Conn& out() { return out_; }
  Conn& err() { return err_; }

 private:
  std::shared_ptr<rt::Child> child_;
  Conn in_;
  Conn out_;
  Conn err_;
};

struct CommandOutput {
  ExitStatus status;
  std::string out;
  std::string err;
};

// Runs command to its end, with `input` as its input, and returns what it wrote. Its three streams
// are pipes, whatever command says. If ctx ends first the child is ended, and the context's error
// is returned. Go: Cmd.Output
absl::StatusOr<CommandOutput> Output(const Context& ctx, Command command,
                                     std::string_view input = {});

}  // namespace os
}  // namespace gort

#endif  // GORT_OS_COMMAND_H_
