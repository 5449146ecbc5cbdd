#include "gort/os/command.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/types/span.h"
#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/gmp/sched.h"
#include "gort/netpoll/wait_fd.h"
#include "gort/os/internal/signal_name.h"
#include "gort/os/internal/spawn.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/sync/mutex.h"
#include "gort/sync/wait_group.h"
#include "gort/timer/timer.h"

namespace gort {

// A child, as its handle, the goroutine that waits for it and the end of its context share it.
struct rt::Child {
  Child(int id, int descriptor) : pid(id), pidfd(descriptor) {}
  ~Child() {
    if (pidfd >= 0) close(pidfd);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // 0 or an errno value; ESRCH: it has ended.
  int Send(int sig) {
    mu.Lock();
    const int error = reaped ? ESRCH : SendSignal(pid, pidfd, sig);
    mu.Unlock();
    return error;
  }
  // Waits for its end, by the pidfd or in a thread, and takes its status.
  void Watch() {
    if (pidfd < 0 || !WaitReadable(pidfd).ok()) {
      EnterSyscallBlock();
      AwaitExit(pid);
      ExitSyscall();
    }
    int code = 0;
    int signal = 0;
    mu.Lock();
    lost = !Reap(pid, &code, &signal);  // after this the number may be another process's
    reaped = true;
    status = os::ExitStatus(code, signal);
    mu.Unlock();
    ended.Close();
  }
  // What the end of the context does.
  void End() {
    if (Send(end_signal) == ESRCH) return;  // after one that cannot be sent SIGKILL comes, too
    const Timer timer = NewTimer(grace);
    const bool late = Select(OnRecv(ended, [](std::optional<Unit>) {}),
                             OnRecv(timer.C(), [](std::optional<absl::Time>) {})) == 1;
    if (late) Send(SIGKILL);
  }

  const int pid;
  const int pidfd;  // -1: the kernel has none
  int end_signal = SIGTERM;
  absl::Duration grace;
  gort::Mutex mu;
  bool reaped ABSL_GUARDED_BY(mu) = false;
  // These two are written once, before `ended` is closed.
  os::ExitStatus status;
  bool lost = false;  // somebody else has waited for the child
  const Chan<Unit> ended = MakeChan<Unit>();
  StopFunc stop;  // written before the handle is given out
};

namespace os {
namespace {

absl::Status NoChild() { return absl::FailedPreconditionError("no process"); }

absl::Status Failed(const Command& command, int error) {
  return absl::Status(absl::ErrnoToStatusCode(error),
                      "start " + command.args[0] + ": " + strerrordesc_np(error));
}

// The descriptors of the child's three streams, and our ends of those that are pipes.
class Streams {
 public:
  // 0 or an errno value.
  int Open(const Stdio& in, const Stdio& out, const Stdio& err) {
    const Stdio* all[] = {&in, &out, &err};
    for (int i = 0; i < 3; ++i) {
      if (int error = OpenOne(i, *all[i])) return error;
    }
    return 0;
  }
  const std::vector<int>& fds() const { return childs_; }
  // Our end, or -1; it is the caller's.
  int Take(int i) { return std::exchange(ours_[i], -1); }
  ~Streams() {
    for (int fd : ours_) {
      if (fd >= 0) close(fd);
    }
  }

 private:
  int OpenOne(int i, const Stdio& what) {
    int fd = what.fd();
    if (what.is_inherited()) fd = i;
    if (what.is_null()) {
      fd = open("/dev/null", O_RDWR | O_CLOEXEC);
      if (fd < 0) return errno;
      opened_.Keep(fd);
    }
    if (what.is_pipe()) {
      int ends[2];
      if (pipe2(ends, O_CLOEXEC) != 0) return errno;
      const int mine = i == 0 ? 1 : 0;
      ours_[i] = ends[mine];
      fd = opened_.Keep(ends[1 - mine]);
    }
    childs_.push_back(fd);
    return 0;
  }

  rt::FdSet opened_;
  std::vector<int> childs_;
  int ours_[3] = {-1, -1, -1};
};

absl::StatusOr<Conn> PipeConn(int fd) {
  if (fd < 0) return Conn();
  absl::StatusOr<Conn> conn = Conn::FromFd(fd);
  if (!conn.ok()) close(fd);
  return conn;
}

bool HasZero(const std::string& word) { return word.find('\0') != word.npos; }

bool OneHasZero(const std::vector<std::string>& words) {
  return std::any_of(words.begin(), words.end(), &HasZero);
}

absl::Status Check(const Command& command) {
  if (command.args.empty() || command.args[0].empty()) {
    return absl::InvalidArgumentError("start: no program");
  }
  const char* zero_in = nullptr;
  if (OneHasZero(command.args)) zero_in = "an argument";
  if (HasZero(command.dir)) zero_in = "the directory";
  if (command.env.has_value() && OneHasZero(*command.env)) zero_in = "the environment";
  if (zero_in == nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError("start " + command.args[0] + ": a zero byte in " + zero_in);
}

// Takes as long as loading the program does.
absl::StatusOr<std::shared_ptr<rt::Child>> Run(const Command& command, const Streams& streams) {
  rt::SpawnPlan plan{command.args, command.dir, command.env, streams.fds()};
  plan.fds.insert(plan.fds.end(), command.pass_fds.begin(), command.pass_fds.end());
  int pid = -1;
  rt::EnterSyscall();
  const int error = rt::Spawn(plan, &pid);
  const int pidfd = error == 0 ? rt::OpenPidFd(pid) : -1;
  rt::ExitSyscall();
  if (error != 0) return Failed(command, error);
  auto child = std::make_shared<rt::Child>(pid, pidfd);
  child->end_signal = command.end_signal;
  child->grace = command.grace;
  return child;
}

}  // namespace

std::string ExitStatus::ToString() const {
  if (signal_ != 0) return "signal: " + rt::SignalName(signal_);
  return "exit status " + std::to_string(code_);
}

absl::StatusOr<Process> Process::Start(const Context& ctx, const Command& command) {
  if (!rt::sched.main_started.load()) {  // nobody would wait for the child's end
    return absl::FailedPreconditionError("os: the runtime has not started; call gort::Run first");
  }
  if (absl::Status s = Check(command); !s.ok()) return s;
  if (absl::Status s = ctx.Err(); !s.ok()) return s;
  Streams streams;
  if (int error = streams.Open(command.in, command.out, command.err)) {
    return Failed(command, error);
  }
  Process process;
  Conn* const ends[] = {&process.in_, &process.out_, &process.err_};
  for (int i = 0; i < 3; ++i) {
    absl::StatusOr<Conn> conn = PipeConn(streams.Take(i));
    if (!conn.ok()) return conn.status();
    *ends[i] = *std::move(conn);
  }
  absl::StatusOr<std::shared_ptr<rt::Child>> child = Run(command, streams);
  if (!child.ok()) return child.status();
  process.child_ = *child;
  Go([c = *child] { c->Watch(); });
  (*child)->stop = AfterFunc(ctx, [c = *child] { c->End(); });
  return process;
}

Process& Process::operator=(Process&& other) noexcept {
  Process old;
  std::swap(old.child_, child_);
  std::swap(child_, other.child_);
  in_ = std::move(other.in_);
  out_ = std::move(other.out_);
  err_ = std::move(other.err_);
  return *this;
}

Process::~Process() {
  if (child_ == nullptr) return;
  child_->Send(SIGKILL);
  Wait().status().IgnoreError();
}

void Process::Detach() {
  if (child_ == nullptr) return;
  child_->stop();
  child_.reset();
}

int Process::pid() const { return child_ != nullptr ? child_->pid : -1; }

absl::StatusOr<ExitStatus> Process::Wait() { return Wait(Background()); }

absl::StatusOr<ExitStatus> Process::Wait(const Context& ctx) {
  if (child_ == nullptr) return NoChild();
  const std::shared_ptr<rt::Child> child = child_;
  const bool given_up = Select(OnRecv(child->ended, [](std::optional<Unit>) {}),
                               OnRecv(ctx.Done(), [](std::optional<Unit>) {})) == 1;
  if (given_up) return ctx.Err();
  child->stop();
  if (child->lost) {
    return absl::DataLossError("wait: somebody else has taken the status of process " +
                               std::to_string(child->pid));
  }
  return child->status;
}

absl::Status Process::Signal(int sig) {
  if (child_ == nullptr) return NoChild();
  const int error = child_->Send(sig);
  if (error == 0) return absl::OkStatus();
  if (error == ESRCH) return absl::FailedPreconditionError("process has finished");
  return absl::Status(absl::ErrnoToStatusCode(error),
                      std::string("signal: ") + strerrordesc_np(error));
}

namespace {

// Until the end of the stream, or of ctx.
std::string ReadAll(const Context& ctx, Conn* from) {
  std::string all;
  char buf[4096];
  for (;;) {
    absl::StatusOr<size_t> n = from->Read(ctx, absl::MakeSpan(buf));
    if (!n.ok() || *n == 0) return all;
    all.append(buf, *n);
  }
}

}  // namespace

absl::StatusOr<CommandOutput> Output(const Context& ctx, Command command, std::string_view input) {
  command.in = command.out = command.err = Stdio::Pipe();
  absl::StatusOr<Process> process = Process::Start(ctx, command);
  if (!process.ok()) return process.status();
  CommandOutput output;
  WaitGroup streams;
  streams.Go([&] {
    process->in().Write(ctx, input).status().IgnoreError();  // it may not want all of it
    process->in().Close().IgnoreError();
  });
  streams.Go([&] { output.out = ReadAll(ctx, &process->out()); });
  streams.Go([&] { output.err = ReadAll(ctx, &process->err()); });
  streams.Wait();
  absl::StatusOr<ExitStatus> status = process->Wait();
  if (absl::Status over = ctx.Err(); !over.ok()) return over;
  if (!status.ok()) return status.status();
  output.status = *status;
  return output;
}

}  // namespace os
}  // namespace gort
