// gmp/m.h: an OS thread that runs goroutines (or stands for a foreign thread).
// Layer     4.                                        Go: m in runtime2.go
// Fields    const after a named step | owner M only (while it sleeps on park: whoever took it off the
//           idle list) | owner M writes, atomic for readers | guarded by X | atomic (protocol).
#ifndef GORT_GMP_M_H_
#define GORT_GMP_M_H_

#include <atomic>
#include <cstdint>

#include "gort/base/rand.h"
#include "gort/gmp/g.h"
#include "gort/lock/mutex.h"
#include "gort/lock/note.h"
#include "gort/platforms/pins.h"
#include "gort/platforms/signal.h"
#include "gort/platforms/thread.h"

namespace gort::rt {

struct P;
class MCache;

struct alignas(64) M {
  G* g0 = nullptr;                // const after init; goroutine of the thread's own stack
  std::atomic<G*> curg{nullptr};  // owner M writes; atomic for PreemptOne and reports
  std::atomic<P*> p{nullptr};     // owner M writes; atomic for readers (retake, reports)
  P* nextp = nullptr;             // guarded by the hand-over: set before park is woken
  P* oldp = nullptr;              // owner M only; the P before the system call
  EhGlobals* eh = nullptr;        // const after mstart; the thread's __cxa_get_globals()
  int* errno_ptr = nullptr;       // const after mstart; the thread's errno
  // What the context that is resumed must do for the one that was left (gmp/switch.h).
  void (*after_fn)(G*) = nullptr;            // owner M only
  G* after_g = nullptr;                      // owner M only
  bool (*waitunlockf)(G*, void*) = nullptr;  // owner M only; park in progress
  bool spinning = false;  // owner M only; out of work and looking (counted in nmspinning)
  bool blocked = false;   // owner M only; asleep on park (MPark), for schedtrace
  int locks = 0;          // owner M only; > 0: must not be switched away or pre-empted
  // Owner M writes; read by sysmon. 1: it prints a fatal report and does nothing else any more.
  std::atomic<int> dying{0};
  FastRand rand;  // owner M only

  Note park;               // atomic (lock/note.h); the M sleeps here, or its foreign thread
  M* schedlink = nullptr;  // guarded by sched.lock; idle list
  M* alllink = nullptr;    // const after it is published on allm
  M* freelink = nullptr;   // guarded by sched.lock; a foreign thread's by its free list's lock
  int64_t id = 0;          // const after init
  G* gsignal = nullptr;    // const after init; signal stack
  std::atomic<G*> lockedg{nullptr};  // owner M, or the M that hands the G over; atomic for reports
  uint32_t locked_ext = 0;           // owner M only; LockOSThread nesting
  void (*mstartfn)() = nullptr;      // const after init; runs before the scheduling loop
  bool exiting = false;              // owner M only; leave the scheduling loop
  std::atomic<uint32_t> free_wait{0};       // atomic; see mexit
  std::atomic<uint32_t> signal_pending{0};  // atomic; how often pre-emption was asked for since the
                                            // handler's last answer; not 0: a signal is on its way
  std::atomic<uint32_t> signal_again{0};    // atomic; 1: sent again, and perhaps once too often
  std::atomic<int64_t> signal_cpu{0};       // atomic; the thread's CPU time when it was first sent
  std::atomic<int> tid{0};                  // owner M writes; kernel thread id, 0: no thread
  // The scheduler's frames are below this address, and what else is on the thread's stack is above.
  // Const after minit; 0: a foreign thread's.
  uintptr_t stack_base = 0;

  // The P that is taken from a goroutine which goes on without (proc/stay.h).
  Mutex thread_lock{LockRank::kThread};
  ThreadPins* pins ABSL_GUARDED_BY(thread_lock) = nullptr;  // the thread's; null: no thread
  MCache** mcache ABSL_GUARDED_BY(thread_lock) = nullptr;   // where the thread keeps its cache
  std::atomic<int64_t> lost_cpu{-2};                        // atomic; proc/stay.cc
  SigSet sigmask = {};                                      // const after minit
};

}  // namespace gort::rt

#endif  // GORT_GMP_M_H_
