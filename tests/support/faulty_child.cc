#include "gort/tests/support/faulty_child.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "gort/tests/support/process.h"

namespace gort::testing {
namespace {

constexpr auto kPatience = std::chrono::seconds(30);

// The filter of this process; what it stops at comes out of the descriptor. Below 0: no filters.
int InstallFilter(const std::vector<int>& calls) {
  std::vector<sock_filter> code;
  code.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  for (const int nr : calls) {
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(nr), 0, 1));
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
  }
  code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog program{static_cast<uint16_t>(code.size()), code.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return static_cast<int>(
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

union Ancillary {
  cmsghdr head;
  char room[CMSG_SPACE(sizeof(int))];
};

void SendFd(int socket, int fd) {
  char byte = 0;
  iovec data{&byte, 1};
  Ancillary with{};
  msghdr m{};
  m.msg_iov = &data;
  m.msg_iovlen = 1;
  m.msg_control = with.room;
  m.msg_controllen = sizeof with.room;
  with.head.cmsg_level = SOL_SOCKET;
  with.head.cmsg_type = SCM_RIGHTS;
  with.head.cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(&with.head), &fd, sizeof fd);
  sendmsg(socket, &m, 0);
}

int ReceiveFd(int socket) {
  char byte;
  iovec data{&byte, 1};
  Ancillary with{};
  msghdr m{};
  m.msg_iov = &data;
  m.msg_iovlen = 1;
  m.msg_control = with.room;
  m.msg_controllen = sizeof with.room;
  if (recvmsg(socket, &m, MSG_CMSG_CLOEXEC) <= 0 || m.msg_controllen == 0) return -1;
  int fd;
  std::memcpy(&fd, CMSG_DATA(&with.head), sizeof fd);
  return fd;
}

// In the child. Does not return.
void BecomeProgram(char* const* argv, const Fault& fault, int socket, int output) {
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  const int listener = InstallFilter(fault.calls);
  if (listener < 0) _exit(126);
  SendFd(socket, listener);
  fcntl(listener, F_SETFD, FD_CLOEXEC);
  for (const Limit& l : fault.limits) {
    const rlimit both{l.value, l.value};
    setrlimit(static_cast<__rlimit_resource>(l.resource), &both);
  }
  execv(argv[0], argv);
  _exit(126);
}

// Where the child has its dynamic linker; a static program has none.
struct Loader {
  bool known = false;
  uint64_t lo = 0;
  uint64_t hi = 0;

  void Find(pid_t pid) {
    known = true;
    std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
    for (std::string line; std::getline(maps, line);) {
      if (line.find("/ld-linux") == std::string::npos) continue;
      char* rest;
      const uint64_t from = std::strtoull(line.c_str(), &rest, 16);
      if (lo == 0) lo = from;
      hi = std::strtoull(rest + 1, nullptr, 16);
    }
  }
  bool Has(uint64_t address) const { return lo <= address && address < hi; }
};

// Answers the call that the child waits in, if it still does.
void Answer(int listener, const Fault& fault, pid_t pid, Loader* loader, long* calls) {
  seccomp_notif call{};
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) return;
  if (!loader->known) loader->Find(pid);
  const bool counted = !loader->Has(call.data.instruction_pointer);
  const long n = counted ? ++*calls : 0;
  const bool fails =
      counted && fault.nth != 0 && (n == fault.nth || (fault.later_too && n > fault.nth));
  seccomp_notif_resp answer{};
  answer.id = call.id;
  if (fails) {
    answer.error = -fault.error;
  } else {
    answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  }
  ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

// Until the child has closed its output.
void Serve(int listener, int output, const Fault& fault, pid_t pid, FaultyResult* out) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  Loader loader;
  pollfd fds[] = {{listener, POLLIN, 0}, {output, POLLIN, 0}};
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      out->late = true;
      kill(pid, SIGKILL);
      return;
    }
    if (poll(fds, 2, static_cast<int>(left.count())) <= 0) continue;
    if ((fds[0].revents & POLLIN) != 0) {
      Answer(listener, fault, pid, &loader, &out->calls);
    } else if (fds[0].revents != 0) {
      fds[0].fd = -1;  // nobody is left to ask
    }
    if (fds[1].revents == 0) continue;
    char chunk[4096];
    const ssize_t n = read(output, chunk, sizeof chunk);
    if (n <= 0) return;
    out->child.output.append(chunk, static_cast<size_t>(n));
  }
}

}  // namespace

bool RunFaulty(const std::string& program, const std::vector<std::string>& args, const Fault& fault,
               FaultyResult* out) {
  *out = {};
  if (Emulated()) return false;
  std::vector<std::string> words = args;
  words.insert(words.begin(), program);
  std::vector<char*> argv;
  for (std::string& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  int sockets[2];
  int output[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) return false;
  if (pipe2(output, O_CLOEXEC) != 0) return false;
  const pid_t pid = fork();
  if (pid == 0) BecomeProgram(argv.data(), fault, sockets[1], output[1]);
  close(sockets[1]);
  close(output[1]);
  const int listener = ReceiveFd(sockets[0]);
  if (listener >= 0) Serve(listener, output[0], fault, pid, out);
  close(sockets[0]);
  close(output[0]);
  if (listener >= 0) close(listener);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  out->child.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return listener >= 0;
}

}  // namespace gort::testing
