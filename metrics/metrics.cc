#include "gort/metrics/metrics.h"

#include <charconv>

#include "gort/base/attributes.h"
#include "gort/gmp/g.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/wait_reason.h"
#include "gort/lock/mutex.h"
#include "gort/malloc/malloc.h"
#include "gort/preempt/preempt.h"
#include "gort/proc/runq.h"
#include "gort/stack/internal/stack_alloc.h"

namespace gort::metrics {
namespace {

constexpr double kSecond = 1e9;

class Collector {
 public:
  void Add(std::string_view name, std::string_view help, Kind kind, double value,
           std::string_view label = {}, std::string_view label_value = {}) {
    samples_.push_back({name, help, kind, label, label_value, value});
  }
  template <class T>
  void Gauge(std::string_view name, std::string_view help, T value, std::string_view label = {},
             std::string_view label_value = {}) {
    Add(name, help, Kind::kGauge, static_cast<double>(value), label, label_value);
  }
  template <class T>
  void Counter(std::string_view name, std::string_view help, T value, std::string_view label = {},
               std::string_view label_value = {}) {
    Add(name, help, Kind::kCounter, static_cast<double>(value), label, label_value);
  }
  std::vector<Sample> Take() { return std::move(samples_); }

 private:
  std::vector<Sample> samples_;
};

// ---- goroutines ----

struct Goroutines {
  int64_t runnable = 0, running = 0, syscall = 0, waiting = 0, system = 0;
  int64_t by_reason[static_cast<int>(rt::WaitReason::kCount)] = {};
};

// Why a goroutine waits may change while it is looked at: then it is counted under another reason.
GORT_NO_TSAN rt::WaitReason ReasonOf(const rt::G* gp) {
  const rt::WaitReason reason = gp->waitreason;
  return reason < rt::WaitReason::kCount ? reason : rt::WaitReason::kZero;
}
GORT_NO_TSAN bool IsSystem(const rt::G* gp) { return gp->system; }

Goroutines CountGoroutines() {
  Goroutines n;
  for (const rt::G* gp = rt::allgs.load(std::memory_order_acquire); gp != nullptr;
       gp = gp->alllink) {
    const uint32_t status = rt::ReadGStatus(gp) & ~uint32_t{rt::kGScan};
    if (status == rt::kGDead || status == rt::kGIdle) continue;
    if (IsSystem(gp)) {
      ++n.system;
      continue;
    }
    if (status == rt::kGRunnable) ++n.runnable;
    if (status == rt::kGRunning) ++n.running;
    if (status == rt::kGSyscall) ++n.syscall;
    if (status != rt::kGWaiting) continue;
    ++n.waiting;
    ++n.by_reason[static_cast<int>(ReasonOf(gp))];
  }
  return n;
}

void AddGoroutines(Collector* c) {
  const Goroutines n = CountGoroutines();
  constexpr std::string_view kName = "gort_goroutines";
  constexpr std::string_view kHelp = "Goroutines of the program by state.";
  c->Gauge(kName, kHelp, n.runnable, "state", "runnable");
  c->Gauge(kName, kHelp, n.running, "state", "running");
  c->Gauge(kName, kHelp, n.syscall, "state", "syscall");
  c->Gauge(kName, kHelp, n.waiting, "state", "waiting");
  for (int i = 1; i < static_cast<int>(rt::WaitReason::kCount); ++i) {
    c->Gauge("gort_goroutines_waiting", "Goroutines of the program that wait, by reason.",
             n.by_reason[i], "reason", rt::WaitReasonText(static_cast<rt::WaitReason>(i)));
  }
  c->Gauge("gort_system_goroutines", "Goroutines of the runtime's own.", n.system);
  c->Counter("gort_goroutine_numbers_total",
             "Numbers given to goroutines; a P takes some at a time.",
             rt::sched.goidgen.load(std::memory_order_relaxed));
}

// ---- Ps and Ms ----

struct Ps {
  uint64_t queued = 0, steals = 0, turns = 0, timers = 0;
};

// A P that is out of use keeps its counts.
Ps CountPs() {
  Ps n;
  for (const auto& at : rt::allp) {
    const rt::P* pp = at.load(std::memory_order_acquire);  // pairs with: ProcResize
    if (pp == nullptr) break;
    n.queued += rt::RunqLen(pp);
    n.steals += pp->steals.load(std::memory_order_relaxed);
    n.turns += pp->schedtick.load(std::memory_order_relaxed);
    n.timers += pp->num_timers.load(std::memory_order_relaxed);
  }
  return n;
}

void AddThreads(Collector* c) {
  int64_t threads, idle;
  {
    // Nothing is added meanwhile: that allocates, and who holds malloc's lock may wait for a P.
    rt::LockGuard l(&rt::sched.lock);
    threads = rt::sched.mnext - rt::sched.nmfreed;
    idle = rt::sched.nmidle;
  }
  c->Gauge("gort_threads", "Threads of the runtime.", threads);
  c->Gauge("gort_threads_idle", "Threads of the runtime that wait for work.", idle);
}

void AddScheduler(Collector* c) {
  const Ps n = CountPs();
  c->Gauge("gort_gomaxprocs", "Ps: how many goroutines may run at once.",
           rt::gomaxprocs.load(std::memory_order_relaxed));
  c->Gauge("gort_gomaxprocs_chosen", "1: the program or its environment chose GOMAXPROCS.",
           rt::sched.custom_gomaxprocs.load(std::memory_order_relaxed) ? 1 : 0);
  c->Gauge("gort_ps_idle", "Ps that nobody uses.", rt::sched.npidle.load());
  AddThreads(c);
  c->Gauge("gort_threads_spinning", "Threads that look for work.", rt::sched.nmspinning.load());
  constexpr std::string_view kQueue = "gort_run_queue_length";
  constexpr std::string_view kQueueHelp = "Goroutines that wait for a turn, by queue.";
  c->Gauge(kQueue, kQueueHelp, n.queued, "queue", "local");
  c->Gauge(kQueue, kQueueHelp, rt::sched.runqsize.load(std::memory_order_relaxed), "queue",
           "global");
  c->Counter("gort_turns_total", "Time slices that goroutines have begun (modulo 2^32 for a P).",
             n.turns);
  c->Counter("gort_steals_total", "Times that a P took goroutines from another's queue.", n.steals);
  c->Gauge("gort_timers", "Timers that are set.", n.timers);
  c->Gauge("gort_poller_waiters", "Goroutines and threads that wait for the network.",
           rt::sched.netpoll_waiters.load(std::memory_order_relaxed));
}

void AddInterruptions(Collector* c) {
  for (int i = 0; i < static_cast<int>(rt::Interrupted::kCount); ++i) {
    const auto answer = static_cast<rt::Interrupted>(i);
    c->Counter("gort_preemptions_total", "Signals that asked a goroutine for its P, by answer.",
               rt::PreemptCount(answer), "answer", rt::InterruptedName(answer));
  }
  constexpr std::string_view kTaken = "gort_ps_taken_total";
  constexpr std::string_view kTakenHelp =
      "Ps that the monitor took from threads, by what they did.";
  c->Counter(kTaken, kTakenHelp, rt::sched.taken_syscall.load(std::memory_order_relaxed), "from",
             "system call");
  c->Counter(kTaken, kTakenHelp, rt::sched.taken_asleep.load(std::memory_order_relaxed), "from",
             "sleep");
  c->Counter("gort_exchanges_total", "Cut off goroutines that took another's place.",
             rt::sched.exchanged.load(std::memory_order_relaxed));
  c->Counter("gort_world_stops_total", "How often all goroutines were stopped.",
             rt::sched.stops.load(std::memory_order_relaxed));
  c->Counter("gort_world_stopped_seconds_total", "For how long in all.",
             static_cast<double>(rt::sched.stop_ns.load(std::memory_order_relaxed)) / kSecond);
  c->Gauge(
      "gort_world_stopped_longest_seconds", "For how long at most.",
      static_cast<double>(rt::sched.stop_longest_ns.load(std::memory_order_relaxed)) / kSecond);
}

// ---- memory ----

void AddMemory(Collector* c) {
  const rt::StackStats s = rt::ReadStackStats();
  constexpr std::string_view kStack = "gort_stack_bytes";
  constexpr std::string_view kStackHelp = "Address space of stacks.";
  c->Gauge(kStack, kStackHelp, s.inuse_bytes, "state", "in use");
  c->Gauge(kStack, kStackHelp, s.cached_bytes, "state", "cached");
  c->Gauge(kStack, kStackHelp, s.reserved_bytes, "state", "reserved");
  constexpr std::string_view kGuards = "gort_stack_guards";
  constexpr std::string_view kGuardsHelp = "Stacks by what guards them.";
  c->Gauge(kGuards, kGuardsHelp, s.guards_kernel, "kind", "kernel");
  c->Gauge(kGuards, kGuardsHelp, s.guards_mprotect, "kind", "mprotect");
  c->Gauge(kGuards, kGuardsHelp, s.guards_canary, "kind", "canary");
  const malloc::Stats h = malloc::ReadStats();
  constexpr std::string_view kHeap = "gort_heap_bytes";
  constexpr std::string_view kHeapHelp = "Memory of gort's own heap.";
  c->Gauge(kHeap, kHeapHelp, h.in_use, "state", "in use");
  c->Gauge(kHeap, kHeapHelp, h.cached, "state", "cached");
  c->Gauge(kHeap, kHeapHelp, h.heap_idle, "state", "idle");
  c->Gauge(kHeap, kHeapHelp, h.heap_released, "state", "released");
  c->Gauge(kHeap, kHeapHelp, h.metadata, "state", "metadata");
  c->Gauge("gort_heap_objects", "Blocks of it that are in use.", h.in_use_objects);
}

// Whatever the program's locale is.
void AppendNumber(std::string* out, double v) {
  char text[32];
  char* const end = text + sizeof text;
  const auto n = static_cast<int64_t>(v);
  const bool whole = v == static_cast<double>(n);
  const std::to_chars_result r = whole ? std::to_chars(text, end, n)
                                       : std::to_chars(text, end, v, std::chars_format::general, 9);
  out->append(text, r.ptr);
}

void AppendHead(std::string* out, const Sample& s) {
  *out += "# HELP ";
  *out += s.name;
  *out += ' ';
  *out += s.help;
  *out += "\n# TYPE ";
  *out += s.name;
  *out += s.kind == Kind::kCounter ? " counter\n" : " gauge\n";
}

// No label's value of ours needs to be escaped.
void AppendSample(std::string* out, const Sample& s) {
  *out += s.name;
  if (!s.label.empty()) {
    *out += '{';
    *out += s.label;
    *out += "=\"";
    *out += s.label_value;
    *out += "\"}";
  }
  *out += ' ';
  AppendNumber(out, s.value);
  *out += '\n';
}

}  // namespace

std::vector<Sample> Read() {
  Collector c;
  AddGoroutines(&c);
  AddScheduler(&c);
  AddInterruptions(&c);
  AddMemory(&c);
  return c.Take();
}

double Value(const std::vector<Sample>& samples, std::string_view name,
             std::string_view label_value) {
  for (const Sample& s : samples) {
    if (s.name == name && s.label_value == label_value) return s.value;
  }
  return 0;
}

std::string Prometheus() {
  std::string out;
  std::string_view last;
  for (const Sample& s : Read()) {
    if (s.name != last) AppendHead(&out, s);
    last = s.name;
    AppendSample(&out, s);
  }
  return out;
}

}  // namespace gort::metrics
