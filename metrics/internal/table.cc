#include "gort/metrics/internal/table.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstring>
#include <iterator>
#include <limits>
#include <utility>

#include "gort/gmp/sched.h"
#include "gort/malloc/malloc.h"
#include "gort/preempt/preempt.h"

namespace gort::metrics {
namespace {

constexpr double kSecond = 1e9;

template <class T>
T Now(const std::atomic<T>& a) {
  return a.load(std::memory_order_relaxed);
}

template <class T>
double Seconds(T ns) {
  return static_cast<double>(ns) / kSecond;
}

// ---- rows of more than one sample ----

void States(const Snapshot& s, Samples* out) {
  out->Is("runnable", s.goroutines.runnable);
  out->Is("running", s.goroutines.running);
  out->Is("syscall", s.goroutines.syscall);
  out->Is("waiting", s.goroutines.waiting);
}

// A sample for each reason to wait; n[i]: of the reason with the number i.
template <class T>
void ByReason(const T* n, Samples* out) {
  for (int i = 1; i < static_cast<int>(rt::WaitReason::kCount); ++i) {
    out->Is(rt::WaitReasonText(static_cast<rt::WaitReason>(i)), n[i]);
  }
}

void ProcsReasons(const Snapshot&, Samples* out) {
  constexpr std::string_view kNames[] = {"cpus", "quota", "environment", "program"};
  static_assert(std::size(kNames) == static_cast<size_t>(rt::ProcsFrom::kCount));
  const auto from = static_cast<size_t>(Now(rt::sched.procs_from));
  const bool started = Now(rt::gomaxprocs) != 0;
  for (size_t i = 0; i < std::size(kNames); ++i) out->Is(kNames[i], started && i == from ? 1 : 0);
}

void Queues(const Snapshot& s, Samples* out) {
  out->Is("local", s.ps.queued);
  out->Is("global", rt::sched.runqsize.load(std::memory_order_relaxed));
}

void Answers(const Snapshot&, Samples* out) {
  for (int i = 0; i < static_cast<int>(rt::Interrupted::kCount); ++i) {
    const auto answer = static_cast<rt::Interrupted>(i);
    out->Is(rt::InterruptedName(answer), rt::PreemptCount(answer));
  }
}

void Taken(const Snapshot&, Samples* out) {
  out->Is("system call", Now(rt::sched.taken_syscall));
  out->Is("sleep", Now(rt::sched.taken_asleep));
}

void StackBytes(const Snapshot& s, Samples* out) {
  out->Is("in use", s.stacks.inuse_bytes);
  out->Is("cached", s.stacks.cached_bytes);
  out->Is("reserved", s.stacks.reserved_bytes);
}

void Guards(const Snapshot& s, Samples* out) {
  out->Is("kernel", s.stacks.guards_kernel);
  out->Is("mprotect", s.stacks.guards_mprotect);
  out->Is("canary", s.stacks.guards_canary);
}

void HeapBytes(const Snapshot& s, Samples* out) {
  out->Is("in use", s.heap.in_use);
  out->Is("cached", s.heap.cached);
  out->Is("idle", s.heap.heap_idle);
  out->Is("released", s.heap.heap_released);
  out->Is("metadata", s.heap.metadata);
}

// The names of size classes, for labels. They have to live for ever.
struct ClassNames {
  ClassNames() {
    malloc::ClassStats of[malloc::kNumClasses];
    malloc::ReadClassStats(of, malloc::kNumClasses);
    for (size_t i = 0; i < malloc::kNumClasses; ++i) {
      if (of[i].tiny) {
        std::strcpy(text[i], "tiny");
      } else {
        std::to_chars(text[i], std::end(text[i]) - 1, of[i].object_bytes);
      }
    }
  }
  char text[malloc::kNumClasses][8] = {};
};

void HeapClasses(const Snapshot& s, Samples* out) {
  static const ClassNames names;
  malloc::ClassStats of[malloc::kNumClasses];
  malloc::ReadClassStats(of, malloc::kNumClasses);
  for (size_t i = 0; i < malloc::kNumClasses; ++i) {
    out->Is(names.text[i], of[i].in_use * of[i].object_bytes);
  }
  out->Is("large", s.heap.in_use_large);
}

void Parks(const Snapshot& s, Samples* out) { ByReason(s.ps.counts.parks, out); }
void Waits(const Snapshot& s, Samples* out) { ByReason(s.goroutines.by_reason, out); }

// ---- the table ----

constexpr Kind kGauge = Kind::kGauge;
constexpr Kind kCounter = Kind::kCounter;
constexpr Kind kTimes = Kind::kHistogram;

using In = const Snapshot&;
using Out = Samples*;

constexpr Row kTable[] = {
    // Goroutines.
    {{"gort_goroutines", "", kGauge, "state", "Goroutines of the program by state."}, &States},
    {{"gort_goroutines_waiting", "", kGauge, "reason",
      "Goroutines of the program that wait, by reason."},
     &Waits},
    {{"gort_goroutines_leaked", "", kGauge, "",
      "Goroutines that wait for ever, by the last search (leak::Find); 0 before the first."},
     [](In, Out out) { out->Is(std::max<int64_t>(0, Now(rt::sched.leaked))); }},
    {{"gort_system_goroutines", "", kGauge, "", "Goroutines of the runtime's own."},
     [](In s, Out out) { out->Is(s.goroutines.system); }},
    {{"gort_goroutine_numbers_total", "", kCounter, "",
      "Numbers given to goroutines; a P takes some at a time."},
     [](In, Out out) { out->Is(Now(rt::sched.goidgen)); }},
    {{"gort_goroutines_created_total", "", kCounter, "",
      "Goroutines started, the runtime's own among them."},
     [](In s, Out out) { out->Is(s.ps.counts.created); }},
    {{"gort_parks_total", "", kCounter, "reason",
      "Times that a goroutine began to wait, by reason."},
     &Parks},
    {{"gort_time_to_run_seconds", "seconds", kTimes, "",
      "How long a goroutine that could run waited for its turn, of one wait in 256."},
     [](In s, Out out) { out->Is(s.ps.counts.time_to_run); }},
    {{"gort_mutex_wait_seconds_total", "seconds", kCounter, "",
      "How long goroutines have waited for Mutex and RWMutex."},
     [](In s, Out out) { out->Is(Seconds(s.ps.counts.mutex_wait_ns)); }},

    // Ps and Ms.
    {{"gort_gomaxprocs", "", kGauge, "", "Ps: how many goroutines may run at once."},
     [](In, Out out) { out->Is(Now(rt::gomaxprocs)); }},
    {{"gort_gomaxprocs_chosen", "", kGauge, "",
      "1: the program or its environment chose GOMAXPROCS."},
     [](In, Out out) { out->Is(Now(rt::sched.custom_gomaxprocs) ? 1 : 0); }},
    {{"gort_gomaxprocs_reason", "", kGauge, "reason", "1 for where GOMAXPROCS comes from."},
     &ProcsReasons},
    {{"gort_ps_idle", "", kGauge, "", "Ps that nobody uses."},
     [](In, Out out) { out->Is(rt::sched.npidle.load()); }},
    {{"gort_threads", "", kGauge, "", "Threads of the runtime."},
     [](In s, Out out) { out->Is(s.threads.all); }},
    {{"gort_threads_idle", "", kGauge, "", "Threads of the runtime that wait for work."},
     [](In s, Out out) { out->Is(s.threads.idle); }},
    {{"gort_threads_spinning", "", kGauge, "", "Threads that look for work."},
     [](In, Out out) { out->Is(rt::sched.nmspinning.load()); }},
    {{"gort_run_queue_length", "", kGauge, "queue", "Goroutines that wait for a turn, by queue."},
     &Queues},
    {{"gort_turns_total", "", kCounter, "",
      "Time slices that goroutines have begun (modulo 2^32 for a P)."},
     [](In s, Out out) { out->Is(s.ps.turns); }},
    {{"gort_steals_total", "", kCounter, "",
      "Times that a P took goroutines from another's queue."},
     [](In s, Out out) { out->Is(s.ps.counts.steals); }},
    {{"gort_timers", "", kGauge, "", "Timers that are set."},
     [](In s, Out out) { out->Is(s.ps.timers); }},
    {{"gort_poller_waiters", "", kGauge, "", "Goroutines and threads that wait for the network."},
     [](In, Out out) { out->Is(Now(rt::sched.netpoll_waiters)); }},

    // Interruptions.
    {{"gort_preemption_requests_total", "", kCounter, "",
      "Times that a running goroutine was asked for its P, repeats included."},
     [](In, Out out) { out->Is(Now(rt::sched.preempt_requests)); }},
    {{"gort_preemptions_total", "", kCounter, "answer",
      "Signals that asked a goroutine for its P, by answer."},
     &Answers},
    {{"gort_system_calls_total", "", kCounter, "",
      "System calls that the runtime was told of, as by Blocking."},
     [](In s, Out out) { out->Is(s.ps.counts.syscalls); }},
    {{"gort_ps_handed_off_total", "", kCounter, "",
      "Ps given away before a system call that was known to take long."},
     [](In s, Out out) { out->Is(s.ps.counts.handed_off); }},
    {{"gort_ps_taken_total", "", kCounter, "from",
      "Ps that were taken from threads, by what these did."},
     &Taken},
    {{"gort_exchanges_total", "", kCounter, "", "Cut off goroutines that took another's place."},
     [](In, Out out) { out->Is(Now(rt::sched.exchanged)); }},
    {{"gort_world_stops_total", "", kCounter, "", "How often all goroutines were stopped."},
     [](In, Out out) { out->Is(Now(rt::sched.stops)); }},
    {{"gort_world_stopped_seconds_total", "seconds", kCounter, "", "For how long in all."},
     [](In, Out out) { out->Is(Seconds(Now(rt::sched.stop_ns))); }},
    {{"gort_world_stopped_longest_seconds", "seconds", kGauge, "", "For how long at most."},
     [](In, Out out) { out->Is(Seconds(Now(rt::sched.stop_longest_ns))); }},
    {{"gort_world_stop_seconds", "seconds", kTimes, "",
      "How long a stop of all goroutines took, from the request on."},
     [](In s, Out out) { out->Is(s.stops); }},

    // Memory.
    {{"gort_stack_bytes", "bytes", kGauge, "state", "Address space of stacks."}, &StackBytes},
    {{"gort_stack_released_bytes_total", "bytes", kCounter, "",
      "Address space of free stacks whose memory went back to the system."},
     [](In s, Out out) { out->Is(s.stacks.released_bytes); }},
    {{"gort_stack_guards", "", kGauge, "kind", "Stacks by what guards them."}, &Guards},
    {{"gort_heap_bytes", "bytes", kGauge, "state", "Memory of gort's own heap."}, &HeapBytes},
    {{"gort_heap_class_bytes", "bytes", kGauge, "size",
      "Memory of the heap in use, by the size of its blocks."},
     &HeapClasses},
    {{"gort_heap_objects", "", kGauge, "", "Blocks of it that are in use."},
     [](In s, Out out) { out->Is(s.heap.in_use_objects); }},
    {{"gort_heap_released_bytes_total", "bytes", kCounter, "",
      "Memory that the heap gave back to the system."},
     [](In s, Out out) { out->Is(s.heap.scavenged); }},
};

}  // namespace

std::span<const Row> Table() { return kTable; }

Sample& Samples::Add(std::string_view label_value, double value) {
  const Definition& d = row_;
  return to_->emplace_back(Sample{d.name, d.help, d.kind, d.label, label_value, value, d.unit});
}

void Samples::Is(const rt::TimeCounts& times) {
  constexpr int kBuckets = rt::TimeCounts::kBuckets;
  std::vector<Bucket> buckets(kBuckets);
  uint64_t all = 0;
  for (int i = 0; i < kBuckets; ++i) {
    const bool last = i == kBuckets - 1;
    const double end = last ? std::numeric_limits<double>::infinity()
                            : static_cast<double>(rt::TimeCounts::EndOf(i)) / kSecond;
    buckets[static_cast<size_t>(i)] = {end, times.n[i]};
    all += times.n[i];
  }
  Sample& sample = Add({}, static_cast<double>(all));
  sample.sum = Seconds(times.total_ns);
  sample.buckets = std::move(buckets);
}

}  // namespace gort::metrics
