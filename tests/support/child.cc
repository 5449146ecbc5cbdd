#include "gort/tests/support/child.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "gort/tests/support/process.h"

extern char** environ;

namespace gort::testing {
namespace {

void Require(bool ok, const char* what) {
  if (ok) return;
  perror(what);
  abort();
}

// Reads what the child writes to fd until its last writer has gone, and waits for its end.
ChildResult Finish(pid_t pid, int fd) {
  ChildResult result;
  char chunk[4096];
  for (;;) {
    const ssize_t n = read(fd, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    result.output.append(chunk, static_cast<size_t>(n));
  }
  close(fd);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) Require(errno == EINTR, "waitpid");
  result.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return result;
}

}  // namespace

ChildResult RunProgram(const std::string& program, const std::vector<std::string>& args,
                       const std::vector<std::string>& env) {
  std::vector<std::string> words = RunUnder();
  words.push_back(program);
  words.insert(words.end(), args.begin(), args.end());
  std::vector<char*> argv;
  for (std::string& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);

  std::vector<std::string> extra = env;
  std::vector<char*> envp;
  for (std::string& e : extra) envp.push_back(e.data());
  for (char** e = environ; *e != nullptr; ++e) envp.push_back(*e);
  envp.push_back(nullptr);

  int fds[2];
  Require(pipe2(fds, O_CLOEXEC) == 0, "pipe2");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, fds[1], STDERR_FILENO);
  pid_t pid;
  const int failed = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&actions);
  close(fds[1]);
  if (failed == 0) return Finish(pid, fds[0]);
  close(fds[0]);
  return ChildResult{};
}

ChildResult RunInChild(const std::function<void()>& fn) {
  int fds[2];
  Require(pipe2(fds, O_CLOEXEC) == 0, "pipe2");
  fflush(nullptr);
  const pid_t pid = fork();
  Require(pid >= 0, "fork");
  if (pid == 0) {
    alarm(60);
    Require(dup2(fds[1], STDOUT_FILENO) >= 0 && dup2(fds[1], STDERR_FILENO) >= 0, "dup2");
    close(fds[0]);
    close(fds[1]);
    fn();
    _exit(0);
  }
  close(fds[1]);
  return Finish(pid, fds[0]);
}

}  // namespace gort::testing
