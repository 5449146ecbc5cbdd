#include "gort/os/internal/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "gort/signals/signals.h"

namespace gort::rt {
namespace {

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> all;
  all.reserve(words.size() + 1);
  for (const std::string& word : words) all.push_back(const_cast<char*>(word.c_str()));
  all.push_back(nullptr);
  return all;
}

// What is done in the child before exec.
class Actions {
 public:
  Actions() { posix_spawn_file_actions_init(&actions_); }
  ~Actions() { posix_spawn_file_actions_destroy(&actions_); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
  const posix_spawn_file_actions_t* get() const { return &actions_; }

  int Fill(const SpawnPlan& plan, FdSet* copies) {
    const int n = static_cast<int>(plan.fds.size());
    for (int i = 0; i < n; ++i) {
      // A copy above all targets: none of the dup2 below overwrites the source of another.
      const int copy = fcntl(plan.fds[i], F_DUPFD_CLOEXEC, n);
      if (copy < 0) return errno;
      copies->Keep(copy);
      if (int error = posix_spawn_file_actions_adddup2(&actions_, copy, i)) return error;
    }
    if (int error = posix_spawn_file_actions_addclosefrom_np(&actions_, n)) return error;
    if (plan.dir.empty()) return 0;
    return posix_spawn_file_actions_addchdir_np(&actions_, plan.dir.c_str());
  }

 private:
  posix_spawn_file_actions_t actions_;
};

class Attributes {
 public:
  Attributes() {
    posix_spawnattr_init(&attr_);
    const SigSet mask = MSignalMask();
    SigSet defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigmask(&attr_, &mask);
    posix_spawnattr_setsigdefault(&attr_, &defaults);
    posix_spawnattr_setflags(&attr_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~Attributes() { posix_spawnattr_destroy(&attr_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  const posix_spawnattr_t* get() const { return &attr_; }

 private:
  posix_spawnattr_t attr_;
};

}  // namespace

FdSet::~FdSet() {
  for (int fd : fds_) close(fd);
}

int Spawn(const SpawnPlan& plan, int* pid) {
  FdSet copies;
  Actions actions;
  if (int error = actions.Fill(plan, &copies)) return error;
  const Attributes attributes;
  const std::vector<char*> args = Pointers(plan.args);
  std::vector<char*> env;
  if (plan.env.has_value()) env = Pointers(*plan.env);
  return posix_spawnp(pid, args[0], actions.get(), attributes.get(), args.data(),
                      plan.env.has_value() ? env.data() : environ);
}

int OpenPidFd(int pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

void AwaitExit(int pid) {
  siginfo_t info;
  while (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
}

bool Reap(int pid, int* code, int* signal) {
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED) != 0) {
    if (errno != EINTR) return false;
  }
  const bool exited = info.si_code == CLD_EXITED;
  *code = exited ? info.si_status : 0;
  *signal = exited ? 0 : info.si_status;
  return true;
}

int SendSignal(int pid, int pidfd, int sig) {
  if (pidfd >= 0) {
    if (syscall(SYS_pidfd_send_signal, pidfd, sig, nullptr, 0) == 0) return 0;
    if (errno != ENOSYS) return errno;
  }
  return kill(pid, sig) == 0 ? 0 : errno;
}

}  // namespace gort::rt
