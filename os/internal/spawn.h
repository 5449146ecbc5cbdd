// os/internal/spawn.h: starting a child, and the system calls about it.
// Layer     12, used by os only.                          Go: forkExec (exec_linux.go),
//           pidfd_linux.go
// What      no function parks. Those that may take long are to be called in Blocking.
#ifndef GORT_OS_INTERNAL_SPAWN_H_
#define GORT_OS_INTERNAL_SPAWN_H_

#include <optional>
#include <string>
#include <vector>

namespace gort::rt {

// Descriptors that are closed when this goes.
class FdSet {
 public:
  FdSet() = default;
  ~FdSet();
  FdSet(const FdSet&) = delete;
  FdSet& operator=(const FdSet&) = delete;
  int Keep(int fd) {
    fds_.push_back(fd);
    return fd;
  }

 private:
  std::vector<int> fds_;
};

struct SpawnPlan {
  std::vector<std::string> args;
  std::string dir;
  std::optional<std::vector<std::string>> env;
  std::vector<int> fds;  // become 0, 1, 2, …; any descriptors, the same one several times too
};

// 0 and *pid, or an errno value. The descriptors of the plan stay the caller's. May take as long as
// loading a program does.
int Spawn(const SpawnPlan& plan, int* pid);

// A descriptor that is readable when the child has ended; -1: the kernel has none.
int OpenPidFd(int pid);
// Waits until the child has ended, and leaves it there.
void AwaitExit(int pid);
// Takes the status of a child that has ended, for which it does not wait. *code is its exit status,
// *signal what killed it. False: somebody else has taken it.
bool Reap(int pid, int* code, int* signal);
// 0 or an errno value. pidfd may be -1.
int SendSignal(int pid, int pidfd, int sig);

}  // namespace gort::rt

#endif  // GORT_OS_INTERNAL_SPAWN_H_
