#include "gort/proc/testing/world.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "gort/base/attributes.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/glist.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/gmp/status.h"
#include "gort/gmp/switch.h"
#include "gort/malloc/internal/current_mcache.h"
#include "gort/platforms/cpu.h"
#include "gort/proc/boot.h"
#include "gort/proc/go.h"
#include "gort/proc/internal/goroutine.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/runq.h"

// What the linker puts in the place of the product's functions, and those functions.
#define GORT_WRAP(result, name, symbol, ...)            \
  result Real##name(__VA_ARGS__) asm("__real_" symbol); \
  result Wrap##name(__VA_ARGS__) asm("__wrap_" symbol)

namespace gort::rt::testing {

GORT_WRAP(void, MoveGSeen, "_ZN4gort2rt8internal9MoveGSeenEPNS0_1GEjj", G*, uint32_t, uint32_t);
GORT_WRAP(bool, CasPStatus, "_ZN4gort2rt10CasPStatusEPNS0_1PEjj", P*, uint32_t, uint32_t);
GORT_WRAP(void, SetPStatus, "_ZN4gort2rt10SetPStatusEPNS0_1PEj", P*, uint32_t);
GORT_WRAP(void, Sleep, "_ZN4gort2rt4Note5SleepEv", Note*);
GORT_WRAP(bool, TSleep, "_ZN4gort2rt4Note6TSleepEl", Note*, int64_t);
GORT_WRAP(int64_t, Nanotime, "_ZN4gort2rt8NanotimeEv");
GORT_WRAP(void, ThreadSleep, "_ZN4gort2rt11ThreadSleepEl", int64_t);
GORT_WRAP(int, ThreadCreate, "_ZN4gort2rt12ThreadCreateEPmPFvPvES2_", uintptr_t*, void (*)(void*),
          void*);
GORT_WRAP(void, ThreadDetach, "_ZN4gort2rt12ThreadDetachEm", uintptr_t);
GORT_WRAP(int, ThreadCount, "_ZN4gort2rt11ThreadCountEv");
GORT_WRAP(int64_t, ThreadCpuNs, "_ZN4gort2rt11ThreadCpuNsEi", int);
GORT_WRAP(bool, ThreadIsAsleep, "_ZN4gort2rt14ThreadIsAsleepEib", int, bool);
GORT_WRAP(bool, ThreadsBarrierInit, "_ZN4gort2rt18ThreadsBarrierInitEv");
GORT_WRAP(int, NumCpuAffinity, "_ZN4gort2rt14NumCpuAffinityEv");
GORT_WRAP(int, NumCpuCgroup, "_ZN4gort2rt12NumCpuCgroupEv");

namespace {

World* world = nullptr;

std::set<World::Edge>* edges_seen = new std::set<World::Edge>;

std::string PName(const P* pp) { return "p" + std::to_string(pp->id); }

[[noreturn]] void Give(const char* why) {
  fprintf(stderr, "World: %s\n%s\n", why, world != nullptr ? world->Trace().c_str() : "");
  abort();
}

void Add(std::string* list, const std::string& item) {
  if (!list->empty()) *list += ", ";
  *list += item;
}

// Nothing is freed: the product may still have links to it.
template <class T>
T* Keep(T* made) {
  static auto* const all = new std::vector<std::shared_ptr<T>>;
  all->emplace_back(made);
  return made;
}

void List(G* gp) {
  gp->alllink = allgs.load();
  allgs.store(gp);
}

// The scheduler's structures, once for the process.
void InitOnce() {
  static const bool done = [] {
    CpuInit();
    M0Init();
    ncpu = 1;
    SchedInit();
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace

const char* PStatusName(uint32_t status) {
  constexpr const char* kNames[] = {"idle", "running", "syscall", "gcstop", "dead"};
  return status < 5 ? kNames[status] : "???";
}

// ---- the wrapped functions ----

void WrapMoveGSeen(G* gp, uint32_t from, uint32_t to) {
  if (world == nullptr) return RealMoveGSeen(gp, from, to);
  world->StopAt(false, world->Name(gp), from, to);
  RealMoveGSeen(gp, from, to);
  world->SawG(gp, from, to);
  world->StopAt(true, world->Name(gp), from, to);
}

bool WrapCasPStatus(P* pp, uint32_t from, uint32_t to) {
  if (world == nullptr) return RealCasPStatus(pp, from, to);
  world->StopAt(false, PName(pp), from, to);
  if (!RealCasPStatus(pp, from, to)) return false;
  world->SawP(pp, from, to);
  world->StopAt(true, PName(pp), from, to);
  return true;
}

void WrapSetPStatus(P* pp, uint32_t to) {
  if (world == nullptr) return RealSetPStatus(pp, to);
  const uint32_t from = pp->status.load();
  world->StopAt(false, PName(pp), from, to);
  if (!PTransitionLegal(pp->status.load(), to)) {
    fprintf(stderr, "World: %s %s>%s\n", PName(pp).c_str(), PStatusName(from), PStatusName(to));
    Give("no such transition");
  }
  RealSetPStatus(pp, to);
  world->SawP(pp, from, to);
  world->StopAt(true, PName(pp), from, to);
}

void WrapSleep(Note* note) {
  if (world == nullptr) return RealSleep(note);
  while (!note->IsSet() && world->OnThread()) world->Suspend();
  if (!note->IsSet() && world->on_sleep) world->on_sleep(note);
  if (!note->IsSet()) Give("m0 would sleep for ever");
}

bool WrapTSleep(Note* note, int64_t ns) {
  if (world == nullptr) return RealTSleep(note, ns);
  if (!note->IsSet() && world->on_timed_sleep) {
    world->on_timed_sleep(note, ns);
  } else if (!note->IsSet() && world->on_sleep) {
    world->on_sleep(note);
  }
  if (note->IsSet()) return true;
  if (ns < 0) Give("m0 would sleep for ever");
  world->now += ns;
  if (++world->timeouts > 1000) Give("somebody waits for what does not come");
  return false;
}

int64_t WrapNanotime() { return world != nullptr ? world->now : RealNanotime(); }

void WrapThreadSleep(int64_t ns) {
  if (world == nullptr) return RealThreadSleep(ns);
  world->now += ns;
  if (world->on_pause) world->on_pause(ns);
}

int WrapThreadCreate(uintptr_t* handle, void (*fn)(void*), void* arg) {
  if (world == nullptr) return RealThreadCreate(handle, fn, arg);
  *handle = 0;
  world->threads.push_back(static_cast<M*>(arg));
  return 0;
}

void WrapThreadDetach(uintptr_t handle) {
  if (world == nullptr) RealThreadDetach(handle);
}

// Ms that wait in `threads` have one as well, and so has an emulator.
int WrapThreadCount() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (world == nullptr) return RealThreadCount();
  if (world->threads_unknown) return 0;
  const int ms = static_cast<int>(sched.mnext - sched.nmfreed) + (sched.m0_exited ? 1 : 0);
  const int others = (GORT_TSAN ? 1 : 0) + std::max(ThreadCountAtEntry() - 1, 0);
  return ms + static_cast<int>(sched.nattached.load()) + others + world->strangers;
}

int64_t WrapThreadCpuNs(int tid) {
  if (world == nullptr || !world->thread_cpu) return RealThreadCpuNs(tid);
  return world->thread_cpu(tid);
}

bool WrapThreadIsAsleep(int tid, bool unknown) {
  if (world == nullptr || !world->asleep) return RealThreadIsAsleep(tid, unknown);
  return world->asleep(tid);
}

bool WrapThreadsBarrierInit() {
  return (world == nullptr || world->has_barrier) && RealThreadsBarrierInit();
}

int WrapNumCpuAffinity() {
  return world != nullptr ? world->cpus_by_affinity : RealNumCpuAffinity();
}
int WrapNumCpuCgroup() { return world != nullptr ? world->cpus_by_quota : RealNumCpuCgroup(); }

// ---- World ----

World::World(int32_t procs) {
  if (world != nullptr) Give("one at a time");
  InitOnce();
  Setg(&g0);
  ResetSched();
  {
    LockGuard l(&sched.lock);
    if (ProcResize(procs) != nullptr) Give("a new world has work");
  }
  world = this;
}

World::~World() {
  for (const M* mp : threads) {
    if (mp->nextp != nullptr) CountBirths(-1);  // this thread will not do it
  }
  world = nullptr;
  Setg(&g0);
  SetThreadMCache(nullptr);
}

namespace {

void ResetHooks() {
  sched_hooks.netpoll = [](int64_t) { return GList(); };
  sched_hooks.netpoll_break = [] {};
  sched_hooks.check_timers = [](P*, int64_t, bool* ran) {
    *ran = false;
    return int64_t{0};
  };
  sched_hooks.adopt_timers = [](P*, P*) {};
  sched_hooks.preempt_m = [](M*) {};
  sched_hooks.netpoll_inited = false;
}

void ResetPs() {
  for (int32_t id = 0; id < kMaxProcs; ++id) {
    P* pp = allp[id].load();
    if (pp == nullptr) break;
    GQueue left;
    RunqDrain(pp, &left);
    pp->link = nullptr;
    pp->m.store(nullptr);
    pp->status.store(kPDead);
    pp->schedtick.store(0);
    pp->globtick = 0;
    pp->ring_turn = false;
    pp->syscalltick.store(0);
    pp->preempt.store(false);
    pp->timer0_when.store(0);
    pp->num_timers.store(0);
    pp->sysmon_schedtick = pp->sysmon_syscalltick = 0;
    pp->sysmon_schedwhen = pp->sysmon_syscallwhen = 0;
    idlep_mask.Clear(id);
  }
  gomaxprocs.store(0);
}

void ResetM0() {
  allm.store(&m0);
  m0.alllink = nullptr;
  m0.p.store(nullptr);
  m0.curg.store(nullptr);
  m0.nextp = m0.oldp = nullptr;
  m0.spinning = m0.blocked = m0.exiting = false;
  m0.locks = 0;
  m0.lockedg.store(nullptr);
  m0.locked_ext = 0;
  m0.schedlink = nullptr;
  m0.park.Clear();
}

}  // namespace

void World::ResetSched() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  ResetHooks();
  ResetPs();
  while (sched.runq.Pop() != nullptr) {
  }
  sched.batches = nullptr;
  sched.batch_turn = false;
  sched.runqsize.store(0);
  sched.midle = nullptr;
  sched.nmidle = sched.nmidlelocked = sched.nmsys = sched.stopwait = 0;
  sched.mnext = 1;
  sched.nmfreed = 0;
  sched.m0_exited = false;
  sched.freem = nullptr;
  sched.pidle = nullptr;
  sched.npidle.store(0);
  sched.nmspinning.store(0);
  sched.need_spinning.store(0);
  sched.gcwaiting.store(false);
  sched.stopnote.Clear();
  sched.sysmonwait.store(false);
  sched.sysmonnote.Clear();
  sched.dead_checks.store(0);
  sched.lastpoll.store(kStart);
  sched.poll_until.store(0);
  sched.netpoll_waiters.store(0);
  sched.custom_gomaxprocs.store(false);
  sched.procs_from.store(ProcsFrom::kCpus);
  sched.nforeign.store(0);
  sched.nattached.store(0);
  sched.main_started.store(true);
  sched.main_goexited.store(false);
  allgs.store(nullptr);
  allglen.store(0);
  ResetM0();
}

P* World::PAt(int32_t id) { return allp[id].load(); }

int32_t World::IdleMs() {
  LockGuard l(&sched.lock);
  return sched.nmidle;
}

void World::BeginToStop(int32_t ps) {
  LockGuard l(&sched.lock);
  sched.stopwait = ps;
  sched.gcwaiting.store(true);
}

int32_t World::ToStop() {
  LockGuard l(&sched.lock);
  return sched.stopwait;
}

M* World::NewM(bool sleeping) {
  M* mp = Keep(new M);
  mp->g0 = Keep(new G);
  mp->g0->m = mp;
  mp->g0->atomicstatus.store(kGRunning);
  mp->eh = m0.eh;
  mp->errno_ptr = m0.errno_ptr;
  MCommonInit(mp, -1);
  if (sleeping) {
    LockGuard l(&sched.lock);
    MPut(mp);
  }
  return mp;
}

G* World::NewG(const char* name, std::function<void()> body) {
  const std::string trace = trace_;
  std::function<void()>* owned = Keep(new std::function<void()>(std::move(body)));
  NewGoroutine made = NewProcBegin(
      sizeof owned, alignof(void*),
      [](void* closure) { (**static_cast<std::function<void()>**>(closure))(); }, 0, nullptr);
  *static_cast<std::function<void()>**>(made.closure) = owned;
  G* gp = made.gp;
  BindStack(gp, nullptr);
  names_.emplace_back(gp, name);
  // One that an earlier World made and that is used again is on no list of this one.
  bool listed = false;
  for (G* at = allgs.load(); at != nullptr; at = at->alllink) listed |= at == gp;
  if (!listed) List(gp);
  CasGStatus(gp, kGDead, kGRunnable);
  trace_ = trace;
  return gp;
}

G* World::Dummy(const char* name, uint32_t status) {
  G* gp = Keep(new G);
  gp->atomicstatus.store(status);
  List(gp);
  names_.emplace_back(gp, name);
  return gp;
}

G* World::NewForeign(const char* name) {
  M* mp = Keep(new M);
  G* gp = Keep(new G);
  mp->g0 = gp;
  mp->id = -1;
  gp->foreign = true;
  gp->m = mp;
  gp->atomicstatus.store(kGRunning);
  mp->curg.store(gp);
  names_.emplace_back(gp, name);
  return gp;
}

namespace {

// From one stack to another. Where `from` would otherwise go on is kept: this thread may have left
// its stack for this one before.
void Switch(G* from, G* to) {
  const Gobuf kept = from->sched;
  SwitchTo(from, to, nullptr);
  from->sched = kept;
  P* pp = from->m->p.load();
  SetThreadMCache(pp != nullptr ? pp->mcache : nullptr);
}

}  // namespace

void World::Resume(G* gp) {
  G* self = Getg();
  M* mp = self->m;
  if (self != mp->g0) Give("Resume: not on g0");
  mp->curg.store(gp);
  gp->m = mp;
  if (gp->sched.sp == 0) BindStack(gp, nullptr);
  gp->eh.runnable_since = 0;  // as at the beginning of a turn
  if (IsGFresh(gp)) {
    LeaveGFresh(gp);
  } else {
    CasGStatus(gp, kGRunnable, kGRunning);
  }
  gp->stackguard0.store(gp->stack.lo);
  Switch(self, gp);
}

M* World::NewThread(std::function<void(M*)> body) {
  M* mp = NewM();
  threads_.push_back(std::make_unique<Thread>());
  Thread* t = threads_.back().get();
  // A goroutine that has a stack becomes the g0.
  G* gp = NewG("thread", [t, mp] {
    SetThreadMCache(nullptr);
    t->body(mp);
    t->ended = true;
    world->Suspend();
  });
  gp->atomicstatus.store(kGRunning);
  gp->m = mp;
  mp->g0 = gp;
  *t = Thread{mp, std::move(body), gp, nullptr, false, false};
  return mp;
}

World::Thread* World::ThreadOf(const M* mp) const {
  for (const auto& t : threads_) {
    if (t->mp == mp) return t.get();
  }
  return nullptr;
}

bool World::OnThread() const {
  const G* gp = Getg();
  return gp != nullptr && ThreadOf(gp->m) != nullptr;
}

bool World::Run(M* mp) {
  Thread* t = ThreadOf(mp);
  if (t == nullptr || t->running) Give("Run: no thread, or one that runs");
  if (t->ended) return true;
  t->running = true;
  t->runner = Getg();
  Switch(t->runner, t->at);
  return t->ended;
}

void World::Suspend() {
  G* self = Getg();
  Thread* t = ThreadOf(self->m);
  if (t == nullptr) Give("Suspend: not on a NewThread");
  t->running = false;
  t->at = self;
  Switch(self, t->runner);
}

void World::As(M* mp, const std::function<void()>& f) {
  // For the sanitizers g0 is wherever f runs.
  mp->g0->stack = Getg()->stack;
  mp->g0->tsan_fiber = Getg()->tsan_fiber;
  AsG(mp->g0, f);
}

void World::AsG(G* gp, const std::function<void()>& f) {
  G* self = Getg();
  Setg(gp);
  P* its = gp != nullptr && gp->m != nullptr ? gp->m->p.load() : nullptr;
  SetThreadMCache(its != nullptr ? its->mcache : nullptr);
  f();
  Setg(self);
  P* mine = self != nullptr && self->m != nullptr ? self->m->p.load() : nullptr;
  SetThreadMCache(mine != nullptr ? mine->mcache : nullptr);
}

std::string World::Name(const G* gp) const {
  // The latest: a dead G may come back with another name.
  for (auto it = names_.rbegin(); it != names_.rend(); ++it) {
    if (it->first == gp) return it->second;
  }
  return "g?";
}

void World::SawG(const G* gp, uint32_t from, uint32_t to) {
  edges_seen->emplace('G', from, to);
  Add(&trace_, Name(gp) + ' ' + GStatusName(from) + '>' + GStatusName(to));
}

void World::SawP(const P* pp, uint32_t from, uint32_t to) {
  edges_seen->emplace('P', from, to);
  Add(&trace_, PName(pp) + ' ' + PStatusName(from) + '>' + PStatusName(to));
}

std::string World::Trace() { return std::exchange(trace_, ""); }

void World::Before(const char* name, uint32_t from, uint32_t to, std::function<void()> f) {
  stops_.push_back(Stop{false, name, from, to, std::move(f)});
}

void World::After(const char* name, uint32_t from, uint32_t to, std::function<void()> f) {
  stops_.push_back(Stop{true, name, from, to, std::move(f)});
}

void World::StopAt(bool after, const std::string& name, uint32_t from, uint32_t to) {
  for (size_t i = 0; i < stops_.size(); ++i) {
    if (stops_[i].after != after || stops_[i].name != name || stops_[i].from != from ||
        stops_[i].to != to)
      continue;
    std::function<void()> f = std::move(stops_[i].f);
    stops_.erase(stops_.begin() + static_cast<std::ptrdiff_t>(i));
    f();
    return;
  }
}

G* World::PopGlobal() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  G* gp = sched.runq.Pop();
  if (gp != nullptr) sched.runqsize.fetch_sub(1);
  return gp;
}

std::string World::DrainGlobal() {
  std::string names;
  while (G* gp = PopGlobal()) Add(&names, Name(gp));
  return names;
}

std::string World::DrainLocal(P* pp) {
  std::string names;
  GQueue q;
  RunqDrain(pp, &q);
  while (G* gp = q.Pop()) Add(&names, Name(gp));
  return names;
}

const std::set<World::Edge>& World::EdgesSeen() { return *edges_seen; }

std::string World::EdgeName(const Edge& e) {
  const auto [kind, from, to] = e;
  return kind == 'G' ? std::string("G ") + GStatusName(from) + '>' + GStatusName(to)
                     : std::string("P ") + PStatusName(from) + '>' + PStatusName(to);
}

}  // namespace gort::rt::testing
