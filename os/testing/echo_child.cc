// A child of command_test: does what its first argument says. Plain C++, no gort.
#include <dirent.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

int PrintFds() {
  DIR* dir = opendir("/proc/self/fd");
  if (dir == nullptr) return 1;
  std::string all;
  for (int fd = 0; fd < 1000; ++fd) {
    if (fd != dirfd(dir) && write(fd, "", 0) >= 0) all += std::to_string(fd) + ' ';
  }
  closedir(dir);
  std::puts(all.c_str());
  return 0;
}

int PrintSignals() {
  sigset_t mask;
  sigprocmask(SIG_SETMASK, nullptr, &mask);
  struct sigaction pipe {};
  sigaction(SIGPIPE, nullptr, &pipe);
  std::printf("usr1 blocked %d, pipe default %d\n", sigismember(&mask, SIGUSR1),
              pipe.sa_handler == SIG_DFL);
  return 0;
}

int Copy() {
  char buf[4096];
  for (;;) {
    const ssize_t n = read(0, buf, sizeof buf);
    if (n <= 0) return n == 0 ? 0 : 1;
    for (ssize_t done = 0; done < n;) {
      const ssize_t m = write(1, buf + done, static_cast<size_t>(n - done));
      if (m < 0) return 1;
      done += m;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const char* word = argc > 2 ? argv[2] : "";
  if (what == "exit") return std::atoi(word);
  if (what == "kill") return raise(std::atoi(word));
  if (what == "copy") return Copy();
  if (what == "fds") return PrintFds();
  if (what == "signals") return PrintSignals();
  if (what == "out") return std::printf("out %s\n", word) < 0;
  if (what == "err") return std::fprintf(stderr, "err %s\n", word) < 0;
  if (what == "env") return std::puts(std::getenv(word) != nullptr ? std::getenv(word) : "-") < 0;
  if (what == "dir") {
    char here[4096];
    return getcwd(here, sizeof here) == nullptr || std::puts(here) < 0;
  }
  if (what == "stubborn") signal(SIGTERM, SIG_IGN);
  if (what == "stubborn" || what == "wait") {
    std::puts("ready");
    std::fflush(stdout);
    for (;;) pause();
  }
  return 64;
}
