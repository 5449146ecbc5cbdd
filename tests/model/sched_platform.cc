// What the scheduler calls below and beside it, for the model: threads, locks, notes, the clock and
// stacks are the model checker's; what the models do not use fails.
#include <cstdint>
#include <cstring>

#include "gort/base/godebug.h"
#include "gort/base/throw.h"
#include "gort/gmp/switch.h"
#include "gort/lock/held_locks.h"
#include "gort/lock/mutex.h"
#include "gort/lock/note.h"
#include "gort/malloc/internal/current_mcache.h"
#include "gort/malloc/internal/persistentalloc.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/held_pthreads.h"
#include "gort/platforms/mem.h"
#include "gort/platforms/pins.h"
#include "gort/platforms/signal.h"
#include "gort/platforms/thread.h"
#include "gort/proc/boot.h"
#include "gort/proc/internal/goroutine.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/internal/schedule.h"
#include "gort/proc/monitor.h"
#include "gort/proc/proc.h"
#include "gort/signals/signals.h"
#include "gort/stack/internal/overflow.h"
#include "gort/tests/model/model.h"
#include "gort/tests/model/sched_world.h"

extern "C" void gort_switch(uintptr_t* save, uintptr_t to_sp) {
  gort::rt::World::Current().Switch(save, to_sp);
}

namespace gort::rt {

constinit Godebug godebug;

// ---- base ----

void Fatal(const char* text) { model::Fail(text); }
Printer& Printer::Str(const char* s, size_t n) { return *this; }
Printer& Printer::operator<<(const char* s) { return *this; }
Printer& Printer::operator<<(long long v) { return *this; }
Printer& Printer::operator<<(unsigned long long v) { return *this; }
Printer& Printer::Hex(uint64_t v) { return *this; }
void Printer::Flush() {}

// ---- clock, threads, memory ----

int64_t Nanotime() { return World::Current().Now(); }
int64_t Walltime() { return World::Current().Now(); }
int64_t CpuTicks() { return 0; }

int ThreadCreate(ThreadHandle* out, void (*fn)(void*), void* arg) {
  *out = 1;
  model::SpawnDaemon([fn, arg] { fn(arg); });
  return 0;
}
void ThreadDetach(ThreadHandle h) {}
int ThreadId() { return 1; }
bool ThreadStackBounds(uintptr_t* lo, uintptr_t* hi) { return false; }
void ThreadYield() {}
void ThreadSleep(int64_t ns) {}
void ThreadSetName(const char* name) {}
#if GORT_DEBUG
int HeldPthreads() { return 0; }
#endif

void* PersistentAlloc(size_t bytes, size_t align) { return World::Current().Alloc(bytes, align); }
size_t PageSize() { return 4096; }
void* MemMap(size_t bytes, size_t align) { return World::Current().Alloc(bytes, align); }
void MemExhausted(const char* what, size_t bytes) { Throw(what); }
void MemUnmap(void* p, size_t bytes) {}
MCache* SetThreadMCache(MCache* c) { return nullptr; }
constinit thread_local MCache* t_mcache = nullptr;

// The model's threads are one thread, which is pinned throughout: nobody takes a P here.
constinit Hook<void()> regain_p_hook{[] { model::Fail("regain_p_hook"); }};
ThreadPins* PinsOfThisThread() { return nullptr; }

void MInitSignalStack(M* mp) {}
void MDropSignalStack(M* mp) {}
SigSet SigCurrentMask() { return {}; }

// ---- locks: mutex.h reports to held_locks.h, which waits here; the word of the Mutex is free then
// ----

void HeldLocksAcquireSlow(const void* lock, LockRank rank) {
  World::Current().LockAt(lock)->Acquire();
}
void HeldLocksTryAcquiredSlow(const void* lock, LockRank rank) { model::Fail("TryLock"); }
void HeldLocksReleaseSlow(const void* lock) { World::Current().LockAt(lock)->ReleaseAtOnce(); }
int HeldLocksCountSlow() { return 0; }
void Mutex::RegainP() { model::Fail("a P is lost"); }
void Mutex::LockSlow() { model::Fail("the lock is taken"); }
void Mutex::UnlockSlow(uint32_t old) { model::Fail("the lock is not taken"); }

void Note::Wakeup() {
  if (key_.exchange(1) != 0) Throw("notewakeup - double wakeup");
  World::Current().EventAt(this)->Signal();
}
void Note::Sleep() {
  World::Current().EventAt(this)->Wait();
  // AcquireP would stumble over it.
  model::Check(Getg()->m->nextp != nullptr, "an M is woken without a P");
}

// ---- proc, where the models do not go ----

G* CurrentG() { return Getg(); }
void ForeignPark(G* gp, bool (*unlockf)(G*, void*), void* lock, WaitReason reason) {
  model::Fail("ForeignPark");
}
void ForeignReady(G* gp) { model::Fail("ForeignReady"); }
void CheckDead() {}
void CountBirths(int) {}
bool LeaveToTemplateThread(M*) { return false; }  // no M of a model is wired
void GcStopM() { model::Fail("GcStopM"); }
void StopLockedM() { model::Fail("StopLockedM"); }
void StartLockedM(G* gp) { model::Fail("StartLockedM"); }
void HandToWired(P* pp, G* gp) { model::Fail("HandToWired"); }
bool BindsAtOnce(const P*) { return true; }
void BindStack(G*, P*) { model::Fail("a goroutine has no context"); }
void YieldP() { model::Fail("YieldP"); }
G* TakeWiredWaiter() { return nullptr; }  // none is cut off

// ---- stacks ----

constinit std::atomic<int64_t> guard_counts[4] = {};
bool StackCanaryOk(const G* gp) { return true; }
void StackCanaryFatal(const G* gp) { model::Fail("StackCanaryFatal"); }

// Stays where it is: the model's stacks are large.
void SystemStack(void (*fn)(void*), void* arg) {
  G* gp = Getg();
  if (gp == nullptr || gp == gp->m->g0) return fn(arg);
  Setg(gp->m->g0);
  fn(arg);
  Setg(gp);
}

}  // namespace gort::rt
