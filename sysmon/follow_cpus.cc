#include "gort/sysmon/follow_cpus.h"

#include <algorithm>

#include "gort/gmp/sched.h"
#include "gort/platforms/cpu.h"
#include "gort/proc/go.h"
#include "gort/proc/monitor.h"

namespace gort::rt {
namespace {

constexpr int64_t kPeriodNs = 1'000'000'000;

constinit int64_t next_look = 0;          // sysmon only; 0: not looked yet
constinit int last_wanted = 0;            // sysmon only
constinit std::atomic<bool> busy{false};  // a goroutine is about to resize

}  // namespace

void FollowCpus(int64_t now) {
  if (sched.custom_gomaxprocs.load(std::memory_order_relaxed) || now < next_look) return;
  bool first = next_look == 0;
  next_look = now + kPeriodNs;
  if (first) {  // osinit has looked at the CPUs a moment ago
    last_wanted = gomaxprocs.load(std::memory_order_relaxed);
    return;
  }
  const int cpus = NumCpuAffinity();
  const int wanted = std::min(DefaultProcsOf(cpus), kMaxProcs);
  if (wanted == last_wanted || busy.exchange(true, std::memory_order_acquire)) return;
  last_wanted = wanted;
  const ProcsFrom from = wanted < std::min(cpus, kMaxProcs) ? ProcsFrom::kQuota : ProcsFrom::kCpus;
  GoSystem([wanted, from] {
    SetProcs(wanted, from);  // unless the program has chosen since the look
    busy.store(false, std::memory_order_release);
  });
}

}  // namespace gort::rt
