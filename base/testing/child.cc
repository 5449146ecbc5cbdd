#include "gort/base/testing/child.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace gort::rt::testing {
namespace {

void Require(bool ok, const char* what) {
  if (ok) return;
  perror(what);
  abort();
}

}  // namespace

ChildResult RunInChild(const std::function<void()>& fn) {
  int fds[2];
  Require(pipe(fds) == 0, "pipe");
  fflush(nullptr);
  pid_t pid = fork();
  Require(pid >= 0, "fork");
  if (pid == 0) {
    alarm(60);
    Require(dup2(fds[1], STDERR_FILENO) >= 0, "dup2");
    close(fds[0]);
    close(fds[1]);
    fn();
    _exit(0);
  }
  close(fds[1]);
  ChildResult result;
  char chunk[4096];
  while (true) {
    ssize_t n = read(fds[0], chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    result.err.append(chunk, static_cast<size_t>(n));
  }
  close(fds[0]);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) Require(errno == EINTR, "waitpid");
  if (WIFEXITED(status)) result.exit_status = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  return result;
}

}  // namespace gort::rt::testing
