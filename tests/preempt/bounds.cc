// tests/preempt/bounds.cc: programs in which goroutines that were cut off are in each other's way, by
// name. See bounds_test.cc. One that hangs dies of SIGALRM.
//
//   bounds NAME
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cinttypes>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>

#include "gort/chan/chan.h"
#include "gort/context/context.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/status.h"
#include "gort/platforms/clock.h"
#include "gort/preempt/preempt.h"
#include "gort/proc/proc.h"
#include "gort/runtime.h"
#include "gort/timer/sleep.h"

namespace bounds {

constexpr int64_t kMs = 1'000'000;

void Compute(int64_t ns) {
  const int64_t end = gort::rt::Nanotime() + ns;
  while (gort::rt::Nanotime() < end) {
  }
}

void WaitFor(const std::atomic<int>& count, int n) {
  while (count.load() < n) gort::Sleep(absl::Milliseconds(1));
}

// Ten threads: four goroutines that were cut off may wait. One holds what all others spin on. It has
// begun before them: one that has not has no thread, and gets none while those are taken.
int Exchange() {
  constexpr int kGoroutines = 20;
  gort::GOMAXPROCS(1);
  gort::SetMaxThreads(10);
  std::atomic<int> spinning{0};
  std::atomic<bool> released{false};
  std::atomic<int> done{0};
  std::atomic<int> holds{0};
  gort::Go([&] {
    holds.store(1);
    while (spinning.load() < 3) {
    }
    Compute(30 * kMs);
    released.store(true);
    done.fetch_add(1);
  });
  WaitFor(holds, 1);
  for (int i = 1; i < kGoroutines; ++i) {
    gort::Go([&] {
      spinning.fetch_add(1);
      while (!released.load()) {
      }
      done.fetch_add(1);
    });
  }
  WaitFor(done, kGoroutines);
  std::printf("done=%d exchanged=%" PRId64 "\n", done.load(), gort::rt::sched.exchanged.load());
  return 0;
}

// A report freezes a goroutine and then needs a lock. Who holds the lock waits for the one P. Who has
// the P waits for the frozen one.
int Frozen() {
  gort::GOMAXPROCS(1);
  std::mutex mu;
  std::atomic<bool> held{false};
  std::atomic<bool> frozen{false};
  std::atomic<bool> waits{false};
  std::atomic<int> done{0};
  std::atomic<gort::rt::G*> parked{nullptr};
  gort::Go([&] {
    parked.store(gort::rt::Getg());
    gort::rt::GoPark(nullptr, nullptr, gort::rt::WaitReason::kSleep);
    done.fetch_add(1);
  });
  while (parked.load() == nullptr) gort::Gosched();
  gort::Go([&] {
    {
      std::lock_guard<std::mutex> l(mu);
      held.store(true);
      while (!waits.load()) {
      }
    }
    done.fetch_add(1);
  });
  std::thread report([&] {
    while (!held.load() || !gort::rt::CasToGScanStatus(parked.load(), gort::rt::kGWaiting)) {
    }
    frozen.store(true);
    mu.lock();
    mu.unlock();
    gort::rt::CasFromGScanStatus(parked.load(), gort::rt::kGWaiting | gort::rt::kGScan);
  });
  while (!frozen.load()) gort::Sleep(absl::Milliseconds(1));
  waits.store(true);
  gort::rt::GoReady(parked.load());
  WaitFor(done, 2);
  report.join();
  std::printf("done=%d\n", done.load());
  return 0;
}

// ---- polling: calls that do not park ----

thread_local int of_this_thread = 0;

// Two goroutines that poll, and so give way, each with something of its thread's.
int Polling() {
  constexpr int kWanted = 20;
  gort::GOMAXPROCS(1);
  const gort::Chan<int> nothing = gort::MakeChan<int>(0);
  const auto [ctx, cancel] = gort::WithCancel(gort::Background());
  const gort::Context& context = ctx;
  std::atomic<int> last{0};
  std::atomic<int> turns{0};
  std::atomic<int> failed{0};
  std::atomic<int> done{0};
  const auto poll = [&](int self) {
    of_this_thread = self;
    while (turns.load() < kWanted) {
      if (last.exchange(self) != self) turns.fetch_add(1);
      int unused;
      nothing.TryRecv(&unused);
      if (of_this_thread != self) failed.fetch_add(1);
      if (!context.Err().ok() || of_this_thread != self) failed.fetch_add(1);
    }
    done.fetch_add(1);
  };
  gort::Go([&] { poll(1); });
  gort::Go([&] { poll(2); });
  WaitFor(done, 2);
  std::printf("turns=%d failed=%d\n", turns.load(), failed.load());
  return 0;
}

// ---- a system without membarrier(2) ----

// From before the runtime's start on the call fails, as in a sandbox or with an old kernel.
bool refused = false;
__attribute__((constructor)) void RefuseMembarrier() {
  if (getenv("NO_MEMBARRIER") == nullptr) return;
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{sizeof code / sizeof code[0], code};
  refused = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 &&
            syscall(SYS_membarrier, 0, 0, 0) == -1 && errno == ENOSYS;
}

// One goroutine sleeps in the kernel, again and again, another counts.
int Sleepers() {
  constexpr int kRounds = 10;
  constexpr int kSleepMs = 50;
  gort::GOMAXPROCS(1);
  std::atomic<int> done{0};
  std::atomic<int> failed{0};
  gort::Go([&] {
    for (int i = 0; i < kRounds; ++i) {
      const int64_t end = gort::rt::Nanotime() + (kSleepMs - 1) * kMs;
      if (poll(nullptr, 0, kSleepMs) != 0 || gort::rt::Nanotime() < end) failed.fetch_add(1);
    }
    done.store(1);
  });
  int turns = 0;
  for (; done.load() == 0; ++turns) gort::Sleep(absl::Milliseconds(1));
  std::printf("refused=%d failed=%d turns=%d signals=%" PRId64 "\n", refused ? 1 : 0, failed.load(),
              turns, gort::rt::PreemptCount(gort::rt::Interrupted::kAtCall));
  return 0;
}

struct Program {
  const char* name;
  int (*run)();
};
constexpr Program kPrograms[] = {
    {"exchange", &Exchange}, {"frozen", &Frozen}, {"polling", &Polling}, {"sleepers", &Sleepers}};

}  // namespace bounds

int gort_main(int argc, char** argv) {
  alarm(60);
  for (const bounds::Program& p : bounds::kPrograms) {
    if (argc == 2 && strcmp(argv[1], p.name) == 0) {
      const int result = p.run();
      std::fflush(stdout);
      return result;
    }
  }
  std::fprintf(stderr, "bounds NAME\n");
  return 2;
}
