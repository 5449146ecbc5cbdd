#include "gort/profile/internal/cpu.h"

#include <atomic>
#include <cstdint>

#include "gort/gmp/sched.h"
#include "gort/lock/mutex.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/futex.h"
#include "gort/platforms/thread.h"
#include "gort/proc/boot.h"
#include "gort/proc/monitor.h"
#include "gort/proc/on_goroutine.h"
#include "gort/proc/proc.h"
#include "gort/profile/internal/cpu_handler.h"
#include "gort/profile/internal/encode.h"
#include "gort/profile/internal/stack_table.h"
#include "gort/profile/internal/thread_timers.h"

namespace gort::rt {
namespace {

constexpr int64_t kLookNs = 20'000'000;  // how long a new thread may go without a timer

enum Phase : uint32_t { kIdle, kStarting, kRunning, kEnding, kDone };
constinit std::atomic<uint32_t> phase{kIdle};

constinit std::atomic<bool> counter_made{false};
// The process that has the counter: a child of fork(2) has neither the counter nor the timers.
constinit std::atomic<int> owner{0};

// The next five belong to the counter from kRunning to kDone, else to the thread that starts or
// ends the recording.
constinit ThreadTimers timers;
constinit StackTable table;
constinit int64_t period_ns = 0;
constinit int64_t begin_ns = 0;  // of the monotonic clock
constinit int64_t begin_time = 0;

// This thread must not free memory. A set of labels that the table has too is not freed by
// DropLabels here. The set of a sample for which the table has no room is never freed.
void Count(Sample& s) {
  if (StackSums* sums = table.Find(s.pcs, s.n, s.labels)) {
    sums->Add(0, s.ticks);
    DropLabels(s.labels);
  }
}

void CountAll() {
  while (cpu_samples.Take(&Count)) {
  }
  for (int64_t n = TakeCpuSamplesLost(); n > 0; --n) table.Lost();
}

void CountUntilEnd() {
  const int self = ThreadId();
  while (phase.load(std::memory_order_acquire) == kRunning) {
    CpuHandlerListen(timers.Follow(self));
    CountAll();
    FutexSleep(&phase, kRunning, kLookNs);
  }
  timers.Stop();
  CpuHandlerListen(CpuSource::kNone);
  CountAll();
}

// The counter's thread: an M that never looks for goroutines.
void Counter() {
  ThreadSetName("gort-profile");
  {
    LockGuard l(&sched.lock);
    ++sched.nmsys;
    CheckDead();
  }
  while (true) {
    const uint32_t now = phase.load(std::memory_order_acquire);
    if (now != kRunning && now != kEnding) {
      FutexSleep(&phase, now, -1);
      continue;
    }
    CountUntilEnd();
    phase.store(kDone, std::memory_order_release);
    FutexWake(&phase, INT32_MAX);
  }
}

void AwaitDone() {
  for (uint32_t now; (now = phase.load(std::memory_order_acquire)) != kDone;) {
    FutexSleep(&phase, now, -1);
  }
}

std::string Encoded() {
  ProfileForm form{{ValueType{"samples", "count"}, ValueType{"cpu", "nanoseconds"}},
                   ValueType{"cpu", "nanoseconds"}};
  form.period = period_ns;
  form.begin_ns = begin_time;
  form.duration_ns = Nanotime() - begin_ns;
  form.last_is_product = true;
  return EncodeProfile(table, form);
}

}  // namespace

CpuResult CpuStart(int hz) {
  uint32_t idle = kIdle;
  if (!phase.compare_exchange_strong(idle, kStarting)) return CpuResult::kBusy;
  owner.store(ProcessId());
  if (!counter_made.exchange(true)) NewM(&Counter, nullptr, -1);
  CpuHandlerInstall();
  // A period that is a little shorter than asked for: a program that does something every 10 ms is
  // not to be met in the same place each time, nor missed each time.
  period_ns = 997'300'000 / hz;
  begin_ns = Nanotime();
  begin_time = Walltime();
  CpuHandlerListen(CpuSource::kThreads);
  const CpuSource source = timers.Start(period_ns);
  CpuHandlerListen(source);
  const bool ok = source != CpuSource::kNone;
  phase.store(ok ? kRunning : kIdle, std::memory_order_release);
  FutexWake(&phase, INT32_MAX);
  if (!ok) CpuHandlerRemove();
  return ok ? CpuResult::kOk : CpuResult::kNoTimers;
}

CpuResult CpuStop(std::string* profile) {
  if (ProcessId() != owner.load()) return CpuResult::kOff;
  uint32_t running = kRunning;
  if (!phase.compare_exchange_strong(running, kEnding)) return CpuResult::kOff;
  FutexWake(&phase, INT32_MAX);
  InSyscall([] { AwaitDone(); });
  CpuHandlerRemove();
  *profile = Encoded();
  table.Clear();
  phase.store(kIdle, std::memory_order_release);
  FutexWake(&phase, INT32_MAX);
  return CpuResult::kOk;
}

}  // namespace gort::rt
