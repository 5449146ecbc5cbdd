#include "gort/tests/model/sched_world.h"

#include <cstring>
#include <new>
#include <utility>

#include "gort/gmp/getg.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/gmp/status.h"
#include "gort/gmp/switch.h"
#include "gort/proc/boot.h"
#include "gort/proc/internal/goroutine.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/internal/schedule.h"
#include "gort/proc/monitor.h"
#include "gort/proc/p_mask.h"
#include "gort/proc/proc.h"
#include "gort/proc/runq.h"

namespace gort::rt {
namespace {

using model::Check;

constexpr size_t kArenaBytes = 256 << 10;
alignas(64) char arena[kArenaBytes];
constexpr size_t kStackBytes = 128 << 10;
alignas(64) char stacks[World::kMaxGs][kStackBytes];

World* world;

GList PollHook(int64_t delay_ns) { return World::Current().Poll(delay_ns); }
void BreakHook() { World::Current().BreakPoll(); }

P* PAt(int i) { return allp[i].load(std::memory_order_relaxed); }

bool Holds(const M* mp, const P* pp) { return mp->p.load(std::memory_order_relaxed) == pp; }

}  // namespace

std::optional<World::TestG> World::gs_[kMaxGs];

World& World::Current() { return *world; }

World::World(const Setup& setup) : setup_(setup) {
  world = this;
  new (&sched) Sched;
  new (&idlep_mask) PMask;
  allm.store(nullptr, std::memory_order_relaxed);
  gomaxprocs.store(setup.ps, std::memory_order_relaxed);
  sched.main_started.store(true, std::memory_order_relaxed);
  sched.nmspinning.SetName("nmspinning");
  sched.need_spinning.SetName("need_spinning");
  sched.npidle.SetName("npidle");
  sched.runqsize.SetName("runqsize");
  sched.lastpoll.SetName("lastpoll");
  sched.poll_until.SetName("poll_until");
  static constexpr const char* kTail[] = {"tail0", "tail1", "tail2"};
  static constexpr const char* kHead[] = {"head0", "head1", "head2"};
  static constexpr const char* kNext[] = {"runnext0", "runnext1", "runnext2"};
  static constexpr const char* kWhen[] = {"timer0_when0", "timer0_when1", "timer0_when2"};
  for (int i = 0; i < setup.ps; i++) {
    P* pp = new (Alloc(sizeof(P), alignof(P))) P;
    pp->id = i;
    pp->schedtick.store(1, std::memory_order_relaxed);  // the global queue's turn is far away
    pp->runq.tail.SetName(kTail[i]);
    pp->runq.head.SetName(kHead[i]);
    pp->runq.runnext.SetName(kNext[i]);
    pp->timer0_when.SetName(kWhen[i]);
    allp[i].store(pp, std::memory_order_relaxed);
    new (TimerHeapOf(pp)) TimerHeap;
  }
  for (int i = setup.ps; i-- > 0;) {
    SetPStatus(PAt(i), kPIdle);
    LockGuard l(&sched.lock);
    PidlePut(PAt(i));
  }
  StealOrderReset(setup.ps);
  TimersInstall();
  sched_hooks.netpoll = &PollHook;
  sched_hooks.netpoll_break = &BreakHook;
  sched_hooks.netpoll_inited = setup.poller;
  if (setup.poller) sched.lastpoll.store(kStart);
  sched.netpoll_waiters.store(static_cast<uint32_t>(setup.netpoll_waiters));
  model::Setup(true);
  model::OnRest([this] { return AtRest(); });
}

void* World::Alloc(size_t bytes, size_t align) {
  used_ = (used_ + align - 1) & ~(align - 1);
  if (used_ + bytes > kArenaBytes) model::Fail("the test's arena is full");
  void* p = arena + used_;
  used_ += bytes;
  return memset(p, 0, bytes);
}

template <class T, int n>
T* World::Find(Named<T> (&table)[n], const void* at) {
  for (Named<T>& entry : table) {
    if (entry.at == nullptr) entry.at = at;
    if (entry.at == at) return &entry.object;
  }
  model::Fail("the test has too few locks or notes");
}

model::Lock* World::LockAt(const void* mutex) { return Find(locks_, mutex); }
model::Event* World::EventAt(const void* note) { return Find(notes_, note); }

// ---- goroutines ----

G* World::NewG(std::function<void()> body) {
  Check(n_gs_ < kMaxGs, "the test has too few Gs");
  TestG* t = &gs_[n_gs_].emplace();
  t->body = std::move(body);
  t->g.goid = static_cast<uint64_t>(n_gs_) + 1;
  t->g.atomicstatus.store(kGWaiting, std::memory_order_relaxed);
  getcontext(&t->context);
  t->context.uc_stack.ss_sp = stacks[n_gs_];
  t->context.uc_stack.ss_size = kStackBytes;
  t->context.uc_link = nullptr;
  makecontext(&t->context, &World::RunG, 0);
  t->g.sched.sp = reinterpret_cast<uintptr_t>(&t->context);
  n_gs_++;
  return &t->g;
}

World::TestG* World::Of(G* gp) {
  for (int i = 0; i < n_gs_; i++) {
    if (&gs_[i]->g == gp) return &*gs_[i];
  }
  model::Fail("not a G of this world");
}

// The bottom of a goroutine's stack. Go: gostart, goexit
void World::RunG() {
  const bool ended = model::CallUntilOver([] {
    AfterSwitch();
    TestG* t = world->Of(Getg());
    t->body();
    SwitchTo(&t->g, t->g.m->g0, &World::EndG, true);
  });
  (void)ended;
  // The execution is over: the rest of the unwinding is g0's.
  setcontext(reinterpret_cast<ucontext_t*>(Getg()->m->g0->sched.sp));
}

// Go: goexit0
void World::EndG(G* gp) {
  gp->m = nullptr;
  Getg()->m->curg.store(nullptr, std::memory_order_relaxed);
  CasGStatus(gp, kGRunning, kGDead);
  TestG* t = world->Of(gp);
  Check(!t->ended, "a G ends once");
  t->ended = true;
}

void World::Switch(uintptr_t* from, uintptr_t to) {
  if (*from == 0) {
    *from = reinterpret_cast<uintptr_t>(Alloc(sizeof(ucontext_t), alignof(ucontext_t)));
  }
  swapcontext(reinterpret_cast<ucontext_t*>(*from), reinterpret_cast<ucontext_t*>(to));
  model::LeaveIfOver();
}

void World::StartM(int p, G* gp) {
  P* pp = PAt(p);
  int64_t id;
  {
    LockGuard l(&sched.lock);
    // Takes just this one off the list of idle Ps.
    P* others[kMaxGs];
    int n = 0;
    P* at;
    while ((at = PidleGet()) != pp) others[n++] = at;
    while (n > 0) PidlePut(others[--n]);
    id = MReserveId();
  }
  if (gp != nullptr) {
    CasGStatus(gp, kGWaiting, kGRunnable);
    RunqPutLocal(pp, gp, false);
  }
  NewM(nullptr, pp, id);
}

void World::Begin() { model::Setup(false); }

void World::ReadyFromOutside(G* gp) {
  CasGStatus(gp, kGWaiting, kGRunnable);
  Submit(nullptr, gp, false);
}

void World::BusyUntilRest() {
  Check(n_busy_ < kMaxBusy, "the test has too few places for busy Gs");
  model::StepOn(busy_);
  busy_[n_busy_++].Wait();
}

// ---- time and the poller ----

int64_t World::Now() {
  if (setup_.time_moves) {
    model::StepOn(&now_);
    const int64_t next = NextTimer();
    if (next > now_ && model::Choose(2) != 0) {
      now_ = next;
      model::Note("the next timer is due");
    }
  }
  return now_;
}

int64_t World::NextTimer() {
  int64_t next = 0;
  for (int i = 0; i < setup_.ps; i++) {
    const int64_t when = PAt(i)->timer0_when.Peek();
    if (when != 0 && (next == 0 || when < next)) next = when;
  }
  return next;
}

Timer* World::NewTimer(G* gp) {
  Check(n_timers_ < kMaxTimers, "the test has too few timers");
  return &timers_[n_timers_++].emplace(gp).t;
}

G* World::TestTimer::Fire(Timer* t, uint32_t seq, int64_t late_ns) {
  for (auto& timer : world->timers_) {
    if (timer.has_value() && &timer->t == t) return std::exchange(timer->gp, nullptr);
  }
  return nullptr;
}

// As the eventfd of poller_epoll.cc: a break stays until a poll that sleeps has taken it.
GList World::Poll(int64_t delay_ns) {
  model::StepOn(&poller_);
  if (delay_ns != 0) {
    Check(!polling_, "two Ms sleep in the poller");
    polling_ = true;
    polling_until_ = delay_ns < 0 ? -1 : now_ + delay_ns;
    if (break_pending_ || !io_ready_.empty()) poller_.Set();
    poller_.Wait();
    polling_ = false;
    break_pending_ = false;
  }
  GList list = io_ready_;
  io_ready_ = GList();
  return list;
}

void World::BreakPoll() {
  model::StepOn(&poller_);
  model::Note("breaks the poll");
  break_pending_ = true;
  if (polling_) poller_.Set();
}

void World::IoReady(G* gp) {
  model::StepOn(&poller_);
  model::Note("I/O is ready");
  io_ready_.Push(gp);
  if (polling_) poller_.Set();
}

// ---- rest ----

const char* World::WhatIsWrong() {
  int idle = 0;
  for (int i = 0; i < setup_.ps; i++) {
    const P* pp = PAt(i);
    int holders = 0;
    for (M* mp = allm.load(); mp != nullptr; mp = mp->alllink) holders += Holds(mp, pp) ? 1 : 0;
    const bool on_list = pp->status.load(std::memory_order_relaxed) == kPIdle;
    idle += on_list ? 1 : 0;
    if (holders > 1) return "two Ms hold one P";
    if ((holders == 1) == on_list) return "a P that is neither idle nor held";
  }
  if (sched.npidle.Peek() != idle) return "npidle is not the number of idle Ps";
  if (sched.nmspinning.Peek() != 0) return "nmspinning is not 0 at rest";
  if (idle == 0) return nullptr;
  for (int i = 0; i < n_gs_; i++) {
    if (gs_[i]->g.atomicstatus.Peek() == kGRunnable)
      return "lost wake-up: a G is runnable, a P is idle";
  }
  const int64_t timer = NextTimer();
  if (timer != 0 && setup_.poller) {
    if (!polling_) return "nobody watches the timer";
    if (polling_until_ < 0 || polling_until_ > timer) return "the poller sleeps past the timer";
  }
  if (idle == setup_.ps && setup_.netpoll_waiters != 0 && !polling_) {
    return "nobody watches the poller";
  }
  return nullptr;
}

const char* World::AtRest() {
  if (const char* wrong = WhatIsWrong(); wrong != nullptr) return wrong;
  if (n_released_ < n_busy_) {
    busy_[n_released_++].Set();
  } else if (polling_ && polling_until_ >= 0) {
    if (now_ < polling_until_) now_ = polling_until_;
    poller_.Set();
  } else {
    at_rest_.Set();
  }
  return nullptr;
}

void World::Finish() {
  at_rest_.Wait();
  for (int i = 0; i < n_gs_; i++) Check(gs_[i]->ended, "a G did not run to its end");
}

}  // namespace gort::rt
