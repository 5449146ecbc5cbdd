// tests/model/sched_world.h: a world of Ps, Ms and Gs in which the scheduler's own source runs under
// the model checker.
// What      One World per execution of model::Explore. It resets `sched`, makes Ps, starts Ms through
//           NewM, and has goroutines with stacks of their own, whose bodies are functions of the
//           test. sched_platform.cc stands in for what the scheduler calls below and beside it.
// Rest      When no thread can go on, the World is at rest, and checks what must hold then: no
//           runnable G while a P is idle; nmspinning is 0; each P is idle or has one M; while a P is
//           idle, an M sleeps in the poller at most until the earliest timer; while all Ps are idle
//           and goroutines wait for I/O, an M sleeps in the poller. Then a goroutine that was busy
//           goes on, or the clock moves to where the poller wakes up; when neither is left, the
//           execution is over.
// Time      passes at rest, and with Setup::time_moves also whenever somebody reads the clock: it may
//           be the time of the next timer by then.
#ifndef GORT_TESTS_MODEL_SCHED_WORLD_H_
#define GORT_TESTS_MODEL_SCHED_WORLD_H_

#include <ucontext.h>

#include <cstdint>
#include <functional>
#include <optional>

#include "gort/gmp/g.h"
#include "gort/gmp/glist.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/tests/model/model.h"
#include "gort/timer/internal/timers.h"

namespace gort::rt {

class World {
 public:
  struct Setup {
    int ps = 2;
    bool poller = false;
    int netpoll_waiters = 0;  // goroutines that wait for I/O
    bool time_moves = false;
  };
  static constexpr int kMaxGs = 4;
  static constexpr int kMaxTimers = 2;
  static constexpr int64_t kStart = 1000;  // what the clock says at first

  explicit World(const Setup& setup);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  // The one that exists.
  static World& Current();

  // A new goroutine, kGWaiting: GoReady makes it run body.
  G* NewG(std::function<void()> body);
  // An M for P number `p`, which must be one of the idle Ps, and first runs gp (null: looks for
  // work). Before Begin.
  void StartM(int p, G* gp = nullptr);
  // Lets the Ms run. What the test's body does from here on is done by a thread without a G.
  void Begin();
  // What a thread without a G does when it readies gp: the global queue.
  void ReadyFromOutside(G* gp);
  // gp's I/O is ready.
  void IoReady(G* gp);
  // A timer that readies gp, for TimerReset.
  Timer* NewTimer(G* gp);
  // For the body of a goroutine: it keeps its P until all others are at rest.
  void BusyUntilRest();
  // For the test's body, last: waits until the world is at rest for good. Every G must have ended.
  void Finish();

  // ---- for sched_platform.cc ----

  int64_t Now();
  void* Alloc(size_t bytes, size_t align);
  model::Lock* LockAt(const void* mutex);
  model::Event* EventAt(const void* note);
  GList Poll(int64_t delay_ns);
  void BreakPoll();
  // Switches stacks: `from` and `to` are what gort_switch gets.
  void Switch(uintptr_t* from, uintptr_t to);

 private:
  struct TestG {
    G g;
    std::function<void()> body;
    ucontext_t context;
    bool ended = false;
  };
  struct TestTimer {
    Timer t;
    G* gp;
    explicit TestTimer(G* g) : t(&Fire), gp(g) {}
    static G* Fire(Timer* t, uint32_t seq, int64_t due);
  };
  template <class T>
  struct Named {
    const void* at = nullptr;
    T object;
  };
  template <class T, int n>
  T* Find(Named<T> (&table)[n], const void* at);

  static void RunG();
  static void EndG(G* gp);
  TestG* Of(G* gp);
  // Threads that are left over at the end of an execution may still stand on their stacks.
  static std::optional<TestG> gs_[kMaxGs];

  // The hook of model::OnRest.
  const char* AtRest();
  const char* WhatIsWrong();
  // When the earliest timer is due; 0: there is none.
  int64_t NextTimer();

  const Setup setup_;
  int64_t now_ = kStart;
  int n_gs_ = 0;
  std::optional<TestTimer> timers_[kMaxTimers];
  int n_timers_ = 0;
  size_t used_ = 0;  // bytes of the arena
  Named<model::Lock> locks_[16];
  Named<model::Event> notes_[16];

  static constexpr int kMaxBusy = 4;
  model::Event busy_[kMaxBusy];
  int n_busy_ = 0;      // that have begun to be
  int n_released_ = 0;  // of them: may go on

  bool polling_ = false;        // somebody sleeps in the poller
  int64_t polling_until_ = -1;  // -1: for ever
  bool break_pending_ = false;
  model::Event poller_;
  GList io_ready_;

  model::Event at_rest_;
};

}  // namespace gort::rt

#endif  // GORT_TESTS_MODEL_SCHED_WORLD_H_
