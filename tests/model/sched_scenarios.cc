#include "gort/tests/model/sched_scenarios.h"

#include "gort/base/atomics.h"
#include "gort/gmp/getg.h"
#include "gort/proc/boot.h"
#include "gort/proc/internal/goroutine.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/internal/schedule.h"
#include "gort/proc/monitor.h"
#include "gort/proc/proc.h"
#include "gort/tests/model/sched_world.h"
#include "gort/timer/internal/timers.h"

namespace gort::rt {
namespace {

constexpr int64_t kSoon = World::kStart + 10;
constexpr int64_t kLater = World::kStart + 20;

// ---- submitters against an M that parks ----

// The G on P 0 readies another and never looks at its own queue; the M on P 1 finds nothing.
void SubmitAgainstPark(bool next) {
  World w({});
  G* g = w.NewG([] {});
  w.StartM(0, w.NewG([&] {
    Ready(g, next);
    w.BusyUntilRest();
  }));
  w.StartM(1);
  w.Begin();
  w.Finish();
}
void SubmitRunnext() { SubmitAgainstPark(true); }
void SubmitRing() { SubmitAgainstPark(false); }

// A thread without a P submits to the global queue.
void SubmitOutside() {
  World w({});
  G* g = w.NewG([] {});
  w.StartM(0);
  w.Begin();
  w.ReadyFromOutside(g);
  w.Finish();
}

// The same with two Gs. The M that took both keeps its P for the first: it must see to it that the
// other one runs.
void TwoSubmitsOutside() {
  World w({});
  G* a = w.NewG([&] { w.BusyUntilRest(); });
  G* b = w.NewG([] {});
  w.StartM(0);
  w.Begin();
  w.ReadyFromOutside(a);
  w.ReadyFromOutside(b);
  w.Finish();
}

// ---- a P that is given away, and taken back or not ----

// While the M on P 0 gives its P away for a system call, the M on P 1 submits: no P is idle then.
void SubmitAgainstHandoff() {
  World w({});
  G* g = w.NewG([] {});
  w.StartM(0, w.NewG([&] {
    EnterSyscallBlock();
    w.BusyUntilRest();
    ExitSyscall();
  }));
  w.StartM(1, w.NewG([&] {
    Ready(g, false);
    w.BusyUntilRest();
  }));
  w.Begin();
  w.Finish();
}

// A thread without a P sees the P that was given away as idle, and then the M that comes back from
// its system call takes it.
void SubmitAgainstReturn() {
  World w({.ps = 1});
  G* g = w.NewG([] {});
  w.StartM(0, w.NewG([&] {
    EnterSyscallBlock();
    ExitSyscall();
  }));
  w.Begin();
  w.ReadyFromOutside(g);
  w.Finish();
}

// Back from the system call there may or may not be a P, while another M parks.
void ReturnAgainstPark() {
  World w({.ps = 1});
  w.StartM(0, w.NewG([&] {
    EnterSyscallBlock();
    ExitSyscall();
  }));
  w.Begin();
  w.Finish();
}

// The P that is given away is the last one, and nobody sleeps in the poller.
void HandoffOfTheLastP() {
  World w({.poller = true, .netpoll_waiters = 1});
  w.StartM(0, w.NewG([&] {
    EnterSyscallBlock();
    w.BusyUntilRest();
    ExitSyscall();
  }));
  w.Begin();
  w.Finish();
}

// ---- timers against an M that goes to sleep in the poller ----

void ArmAgainstPoll(bool time_moves) {
  World w({.poller = true, .netpoll_waiters = 1, .time_moves = time_moves});
  Timer* t = w.NewTimer(w.NewG([] {}));
  w.StartM(0, w.NewG([&] {
    TimerReset(t, kSoon, 0);
    w.BusyUntilRest();
  }));
  w.StartM(1);
  w.Begin();
  w.Finish();
}
void TimerAgainstPoll() { ArmAgainstPoll(false); }
void TimerAgainstPollWhileTimePasses() { ArmAgainstPoll(true); }

// A thread without a P arms it on P 0, whose M parks: without I/O nobody need be in the poller.
void TimerOutside() {
  World w({.ps = 1, .poller = true});
  Timer* t = w.NewTimer(w.NewG([] {}));
  w.StartM(0);
  w.Begin();
  TimerReset(t, kSoon, 0);
  w.Finish();
}

// Two Ms arm timers and park: one polls, the other must see to it that it does not poll too long.
void TwoTimers() {
  World w({.poller = true});
  Timer* soon = w.NewTimer(w.NewG([] {}));
  Timer* later = w.NewTimer(w.NewG([] {}));
  w.StartM(0, w.NewG([&] { TimerReset(soon, kSoon, 0); }));
  w.StartM(1, w.NewG([&] { TimerReset(later, kLater, 0); }));
  w.Begin();
  w.Finish();
}

// The timer stays on the P that is given away.
void TimerAgainstHandoff() {
  World w({.poller = true, .netpoll_waiters = 1});
  Timer* t = w.NewTimer(w.NewG([] {}));
  w.StartM(0, w.NewG([&] {
    TimerReset(t, kSoon, 0);
    EnterSyscallBlock();
    w.BusyUntilRest();
    ExitSyscall();
  }));
  w.StartM(1);
  w.Begin();
  w.Finish();
}

// ---- I/O ----

void IoAgainstPark() {
  World w({.poller = true, .netpoll_waiters = 1});
  G* g = w.NewG([] {});
  w.StartM(0);
  w.Begin();
  w.IoReady(g);
  w.Finish();
}

// The M that sleeps in the poller finds I/O, but its P has been taken by another.
void IoWithoutP() {
  World w({.ps = 1, .poller = true, .netpoll_waiters = 1});
  G* g = w.NewG([] {});
  G* busy = w.NewG([&] { w.BusyUntilRest(); });
  w.StartM(0);
  w.Begin();
  w.ReadyFromOutside(busy);
  w.IoReady(g);
  w.Finish();
}

// ---- parking and readying a G ----

// The two meet at a word, as in netpoll/poll_desc.cc: who comes second knows of the other.
void ParkAgainstReady() {
  enum : uint32_t { kNothing, kParked, kReady };
  World w({});
  Atomic<uint32_t> word{kNothing};
  word.SetName("word");
  G* g = w.NewG([&] {
    GoPark(
        [](G*, void* at) {
          uint32_t nothing = kNothing;
          return static_cast<Atomic<uint32_t>*>(at)->compare_exchange_strong(nothing, kParked);
        },
        &word, WaitReason::kZero);
  });
  w.StartM(0, g);
  w.StartM(1, w.NewG([&] {
    if (word.exchange(kReady) == kParked) GoReady(g);
  }));
  w.Begin();
  w.Finish();
}

}  // namespace

const std::vector<SchedScenario>& SchedScenarios() {
  static const auto* const scenarios = new std::vector<SchedScenario>{
      {"SubmitRunnext", SubmitRunnext, 1, 2},
      {"SubmitRing", SubmitRing, 1, 2},
      {"SubmitOutside", SubmitOutside, 2, 2},
      {"TwoSubmitsOutside", TwoSubmitsOutside, 2, 0},
      {"SubmitAgainstHandoff", SubmitAgainstHandoff, 1, 2},
      {"SubmitAgainstReturn", SubmitAgainstReturn, 2, 1},
      {"ReturnAgainstPark", ReturnAgainstPark, 3, 2},
      {"HandoffOfTheLastP", HandoffOfTheLastP, 3, 2},
      {"TimerAgainstPoll", TimerAgainstPoll, 1, 1},
      {"TimerAgainstPollWhileTimePasses", TimerAgainstPollWhileTimePasses, 0, 1},
      {"TimerOutside", TimerOutside, 2, 2},
      {"TwoTimers", TwoTimers, 1, 0},
      {"TimerAgainstHandoff", TimerAgainstHandoff, 1, 0},
      {"IoAgainstPark", IoAgainstPark, 2, 2},
      {"IoWithoutP", IoWithoutP, 2, 1},
      {"ParkAgainstReady", ParkAgainstReady, 1, 0},
  };
  return *scenarios;
}

model::Result ExploreSched(const SchedScenario& scenario, int more_preemptions) {
  return model::Explore({.max_preemptions = scenario.max_preemptions + more_preemptions,
                         .max_stale_reads = scenario.max_stale_reads,
                         .only_shared = true,
                         .cache_states = true,
                         .thread_word = reinterpret_cast<void**>(&gort_tls_g)},
                        scenario.body);
}

}  // namespace gort::rt
