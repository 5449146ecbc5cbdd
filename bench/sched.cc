// The workloads of the scheduler itself: spawn, yield, skynet, forkjoin, parked.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <vector>

#include "gort/base/panic.h"
#include "gort/bench/workload.h"
#include "gort/chan/chan.h"
#include "gort/runtime.h"
#include "gort/sync/sync.h"
#include "gort/tests/support/process.h"

namespace gort::bench {

void WrongResult() { throw Panic("wrong result"); }

// n goroutines in batches of at most 1000 live at a time.
Values Spawn(int64_t n) {
  return NsPer(n, [n] {
    WaitGroup wg;
    for (int64_t left = n; left > 0;) {
      const int64_t batch = std::min<int64_t>(left, 1000);
      wg.Add(batch);
      for (int64_t i = 0; i < batch; ++i) Go([&wg] { wg.Done(); });
      wg.Wait();
      left -= batch;
    }
  });
}

// n yields in total, half by each of two goroutines.
Values Yield(int64_t n) {
  const int64_t half = (n + 1) / 2;
  return NsPer(2 * half, [half] {
    Group g;
    g.Start(2, [half](int64_t) {
      for (int64_t i = 0; i < half; ++i) Gosched();
    });
    g.Wait();
  });
}

namespace {

void SkynetNode(const Chan<int64_t>& up, int64_t first, int64_t size) {
  if (size == 1) {
    up.Send(first);
    return;
  }
  const Chan<int64_t> c = MakeChan<int64_t>();
  for (int64_t i = 0; i < 10; ++i) Go(SkynetNode, c, first + i * (size / 10), size / 10);
  int64_t sum = 0;
  for (int i = 0; i < 10; ++i) sum += *c.Recv();
  up.Send(sum);
}

}  // namespace

// n leaves (rounded down to a power of ten), ten children for each node.
Values Skynet(int64_t n) {
  int64_t leaves = 1;
  while (leaves * 10 <= n) leaves *= 10;
  const Clock::time_point start = Clock::now();
  const Chan<int64_t> c = MakeChan<int64_t>();
  Go(SkynetNode, c, int64_t{0}, leaves);
  const int64_t sum = *c.Recv();
  const Clock::duration elapsed = Clock::now() - start;
  Check(sum == leaves * (leaves - 1) / 2);
  return {Ms(elapsed)};
}

namespace {

// Counts the tasks below it and itself into *count.
void ForkJoinTask(int depth, int64_t* count) {
  int64_t of_children[2] = {};
  if (depth > 0) {
    WaitGroup children;
    children.Add(2);
    for (int64_t& of_child : of_children) {
      Go([depth, &of_child, &children] {
        ForkJoinTask(depth - 1, &of_child);
        children.Done();
      });
    }
    children.Wait();
  }
  *count = 1 + of_children[0] + of_children[1];
}

}  // namespace

// A tree of at most n tasks (a power of two less one), of which each starts two and waits for them;
// for each task.
Values ForkJoin(int64_t n) {
  int depth = 0;
  while ((int64_t{4} << depth) - 1 <= n) ++depth;
  const int64_t tasks = (int64_t{2} << depth) - 1;
  return NsPer(tasks, [depth, tasks] {
    int64_t count = 0;
    ForkJoinTask(depth, &count);
    Check(count == tasks);
  });
}

namespace {

Values Park(int64_t n) {
  const Chan<Unit> gate = MakeChan<Unit>();
  WaitGroup up;
  WaitGroup down;
  up.Add(n);
  down.Add(n);
  const int64_t before = testing::ResidentBytes();
  Clock::time_point start = Clock::now();
  for (int64_t i = 0; i < n; ++i) {
    Go([&gate, &up, &down] {
      up.Done();
      gate.Recv();
      down.Done();
    });
  }
  up.Wait();
  const Clock::duration create = Clock::now() - start;
  const int64_t grown = testing::ResidentBytes() - before;
  start = Clock::now();
  gate.Close();
  down.Wait();
  const Clock::duration release = Clock::now() - start;
  return {static_cast<double>(grown) / static_cast<double>(n), Ms(create), Ms(release)};
}

// What this program prints when it is run with the arguments args. Empty: it could not be run, or
// its status was not 0.
std::string OutputOfSelf(std::initializer_list<std::string> args) {
  std::vector<char*> argv;
  for (const std::string& a : args) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return {};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(fds[1]);
  std::string out;
  int status = 0;
  if (error == 0) {
    char buffer[256];
    ssize_t k;
    while ((k = read(fds[0], buffer, sizeof(buffer))) > 0 || (k < 0 && errno == EINTR)) {
      if (k > 0) out.append(buffer, static_cast<size_t>(k));
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
  }
  close(fds[0]);
  return error == 0 && status == 0 ? out : std::string();
}

}  // namespace

Values ParkOnce(int64_t n) {
  Park(100);
  return Park(n);
}

// n goroutines parked on one channel. Every run is a process of its own, so that memory freed by an
// earlier run is not reused unseen.
Values Parked(int64_t n) {
  const std::string procs = std::to_string(GOMAXPROCS(0));
  const std::string out = Blocking([&] {
    return OutputOfSelf({"workloads", kParkedOnce, "-procs", procs, "-n", std::to_string(n)});
  });
  Values v(3);
  if (sscanf(out.c_str(), "[%lf %lf %lf]", &v[0], &v[1], &v[2]) != 3) {  // NOLINT(cert-err34-c)
    throw std::runtime_error("parked: the child process failed");
  }
  return v;
}

}  // namespace gort::bench
