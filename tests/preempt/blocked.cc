// tests/preempt/blocked.cc: calls that nobody wrapped, with GOMAXPROCS=1.
//
//   blocked [--what=mutex|read|nanosleep|poll|getaddrinfo|wrapped|wrapped_busy|all] [--rounds=N]
//
// One goroutine blocks, the main one wants to run every millisecond. Fails when a blocked call
// returns a wrong result, or when the main goroutine stands still for as long as the call takes.
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <resolv.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

#include "gflags/gflags.h"
#include "gort/base/attributes.h"
#include "gort/platforms/clock.h"
#include "gort/preempt/arch.h"
#include "gort/preempt/preempt.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/timer/sleep.h"

DEFINE_string(what, "all", "which call");
DEFINE_int32(rounds, 5, "how often each");
DEFINE_int64(limit_ms, 0, "fail when the others wait longer; 0: only print");

int gort_main(int argc, char** argv);

namespace blocked {

using gort::rt::Nanotime;

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kBlockNs = 300 * kMs;
// A poll that a signal has ended is not always made again (preempt/blocked_call.h).
constexpr bool kMayBeInterrupted = !gort::rt::arch::kCallKeepsArguments;

[[noreturn]] void Fail(const char* what) {
  std::printf("FAILED: %s errno=%d\n", what, errno);
  std::fflush(stdout);
  std::_Exit(1);
}

// Runs `block` in a goroutine and `meanwhile` every millisecond until it is done. Returns the
// longest standstill of the caller in nanoseconds.
template <class Block, class Meanwhile>
int64_t Beside(Block block, Meanwhile meanwhile) {
  std::atomic<bool> done{false};
  gort::Go([&] {
    block();
    done.store(true);
  });
  int64_t start = Nanotime();
  int64_t longest = 0;
  while (!done.load()) {
    int64_t before = Nanotime();
    gort::Sleep(absl::Milliseconds(1));
    longest = std::max(longest, Nanotime() - before - kMs);
    meanwhile(Nanotime() - start);
  }
  return longest;
}

int64_t Mutex() {
  std::mutex mu;
  mu.lock();
  bool held = true;
  return Beside([&] { std::lock_guard<std::mutex> l(mu); },
                [&](int64_t ns) {
                  if (held && ns >= kBlockNs) {
                    mu.unlock();
                    held = false;
                  }
                });
}

int64_t Read() {
  int fds[2];
  if (pipe(fds) != 0) Fail("pipe");
  bool sent = false;
  int64_t longest = Beside(
      [&] {
        char c = 0;
        if (read(fds[0], &c, 1) != 1 || c != 'x') Fail("read");
      },
      [&](int64_t ns) {
        if (!sent && ns >= kBlockNs) sent = write(fds[1], "x", 1) == 1;
      });
  close(fds[0]);
  close(fds[1]);
  return longest;
}

int64_t Nanosleep() {
  return Beside(
      [] {
        timespec ts{0, kBlockNs};
        int64_t start = Nanotime();
        if (nanosleep(&ts, nullptr) != 0) Fail("nanosleep");
        if (Nanotime() - start < kBlockNs) Fail("nanosleep was too short");
      },
      [](int64_t) {});
}

int64_t Poll() {
  return Beside(
      [] {
        int64_t start = Nanotime();
        int result = poll(nullptr, 0, static_cast<int>(kBlockNs / kMs));
        if (kMayBeInterrupted && result != 0 && errno == EINTR) return;
        if (result != 0) Fail("poll");
        if (Nanotime() - start < kBlockNs - kMs) Fail("poll was too short");
      },
      [](int64_t) {});
}

// The resolver waits for a name server that never answers.
int64_t Getaddrinfo() {
  if (getauxval(AT_BASE) == 0) return 0;  // statically linked: the resolver would look for plug-ins
  int server = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in own = {};
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof own;
  if (bind(server, reinterpret_cast<sockaddr*>(&own), size) != 0 ||
      getsockname(server, reinterpret_cast<sockaddr*>(&own), &size) != 0) {
    Fail("bind");
  }
  int64_t longest = Beside(
      [&own] {
        gort::rt::LockOSThread();  // the settings of the resolver belong to the thread
        res_init();
        _res.nscount = 1;
        _res.nsaddr_list[0] = own;
        _res.retrans = 1;
        _res.retry = 1;
        addrinfo* found = nullptr;
        int64_t start = Nanotime();
        if (getaddrinfo("nobody-answers.gort.test.", "80", nullptr, &found) == 0) {
          Fail("getaddrinfo found something");
        }
        if (Nanotime() - start < kBlockNs) {
          std::printf("getaddrinfo asked nobody here: nothing is shown\n");
        }
        gort::rt::UnlockOSThread();
      },
      [](int64_t) {});
  close(server);
  return longest;
}

void SixWrappedCalls() {
  for (int i = 0; i < 6; ++i) {
    gort::rt::EnterSyscall();
    timespec ts{0, 50 * kMs};
    nanosleep(&ts, nullptr);
    gort::rt::ExitSyscall();
  }
}

// For comparison, the same call inside Blocking.
int64_t Wrapped() {
  return Beside(&SixWrappedCalls, [](int64_t) {});
}

// The same beside a goroutine that computes all the time, and so keeps the processor from going
// idle.
int64_t WrappedBusy() {
  std::atomic<bool> done{false};
  gort::Go([&] {
    SixWrappedCalls();
    done.store(true);
  });
  int64_t longest = 0;
  for (int64_t last = Nanotime(); !done.load();) {
    const int64_t now = Nanotime();
    longest = std::max(longest, now - last);
    last = now;
  }
  return longest;
}

struct Case {
  const char* name;
  int64_t (*run)();
};
constexpr Case kCases[] = {{"mutex", &Mutex},
                           {"read", &Read},
                           {"nanosleep", &Nanosleep},
                           {"poll", &Poll},
                           {"getaddrinfo", &Getaddrinfo},
                           {"wrapped", &Wrapped},
                           {"wrapped_busy", &WrappedBusy}};

}  // namespace blocked

int gort_main(int argc, char** argv) {
  if (GORT_TSAN) {
    std::printf("skipped: no pre-emption under ThreadSanitizer (preempt/preempt.h)\n");
    return 0;
  }
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  gort::rt::GoMaxProcs(1);
  for (const blocked::Case& c : blocked::kCases) {
    if (FLAGS_what != "all" && FLAGS_what != c.name) continue;
    int64_t longest = 0;
    for (int i = 0; i < FLAGS_rounds; ++i) longest = std::max(longest, c.run());
    std::printf("%s: longest standstill %" PRId64 " us\n", c.name, longest / 1000);
    std::fflush(stdout);
    if (FLAGS_limit_ms != 0 && longest > FLAGS_limit_ms * blocked::kMs) blocked::Fail(c.name);
  }
  for (int i = 0; i < static_cast<int>(gort::rt::Interrupted::kCount); ++i) {
    auto p = static_cast<gort::rt::Interrupted>(i);
    if (int64_t n = gort::rt::PreemptCount(p); n != 0)
      std::printf("  %s: %" PRId64 "\n", gort::rt::InterruptedName(p), n);
  }
  return 0;
}
