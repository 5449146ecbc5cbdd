// gmp/sched.h: the scheduler's global state.
// Layer     4. One constinit object, `sched`, and the lists of all Gs, Ms and Ps.
// Go        schedt in runtime2.go
#ifndef GORT_GMP_SCHED_H_
#define GORT_GMP_SCHED_H_

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "gort/base/atomics.h"
#include "gort/gmp/counts.h"
#include "gort/gmp/g.h"
#include "gort/gmp/glist.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/lock/mutex.h"
#include "gort/lock/note.h"

namespace gort::rt {

struct GFreeBatch;
struct RunqBatch;

// What GOMAXPROCS is derived from.
enum class ProcsFrom : uint8_t {
  kCpus,         // the CPUs that the process may run on
  kQuota,        // a control group's limit of CPU time, which is less
  kEnvironment,  // the variable
  kProgram,      // a call
  kCount,
};

struct Sched {
  constexpr Sched() = default;

  alignas(64) Mutex lock{LockRank::kSched};

  // Idle Ms and Ps.
  M* midle ABSL_GUARDED_BY(lock) = nullptr;  // Ms that wait for work
  int32_t nmidle ABSL_GUARDED_BY(lock) = 0;
  int32_t nmidlelocked ABSL_GUARDED_BY(lock) = 0;  // locked Ms waiting for their G
  int64_t mnext ABSL_GUARDED_BY(lock) = 0;         // Ms created so far; next id
  int32_t maxmcount ABSL_GUARDED_BY(lock) = 10000;
  int32_t nmsys ABSL_GUARDED_BY(lock) = 0;       // system Ms (sysmon): not counted for deadlock
  int64_t nmfreed ABSL_GUARDED_BY(lock) = 0;     // Ms that have gone
  bool m0_exited ABSL_GUARDED_BY(lock) = false;  // counted in nmfreed; its thread sleeps for good
  M* freem ABSL_GUARDED_BY(lock) = nullptr;      // Ms to use again when their threads are gone
  P* pidle ABSL_GUARDED_BY(lock) = nullptr;      // idle Ps

  // What each switch and each submission reads, and what comes and goes with idle Ps changes. Spinning
  // Ms: see proc/find_runnable.cc for the protocol.
  alignas(64) Atomic<int32_t> npidle{0};  // atomic; changed under lock
  Atomic<int32_t> nmspinning{0};
  Atomic<uint32_t> need_spinning{0};
  std::atomic<bool> gcwaiting{false};  // a stop of the world is wanted; set under lock
  std::atomic<bool> tracing{false};    // what happens is recorded (gmp/trace_hook.h)
  std::atomic<uint8_t> profiling{0};   // which waits are timed (gmp/profile_hook.h)

  // Global run queue (proc/global_runq.cc).
  alignas(64) GQueue runq ABSL_GUARDED_BY(lock);
  RunqBatch* batches ABSL_GUARDED_BY(lock) = nullptr;       // halves of full rings, oldest first
  RunqBatch* last_batch ABSL_GUARDED_BY(lock) = nullptr;    // none: undefined
  RunqBatch* free_batches ABSL_GUARDED_BY(lock) = nullptr;  // for use again
  bool batch_turn ABSL_GUARDED_BY(lock) = false;            // the last G came from a batch
  Atomic<int32_t> runqsize{0};  // Gs in runq and batches; changed under lock, read without

  // Goroutines that SchedEnableUser(false) keeps aside.
  bool user_disabled ABSL_GUARDED_BY(lock) = false;
  GQueue disabled_runq ABSL_GUARDED_BY(lock);
  int32_t disabled_n ABSL_GUARDED_BY(lock) = 0;

  // Dead Gs.
  alignas(64) Mutex gfree_lock{LockRank::kGfree};
  GList gfree ABSL_GUARDED_BY(gfree_lock);                             // one by one
  GFreeBatch* gfree_batches ABSL_GUARDED_BY(gfree_lock) = nullptr;     // full ones
  GFreeBatch* gfree_no_batches ABSL_GUARDED_BY(gfree_lock) = nullptr;  // empty ones, for use again
  std::atomic<int32_t> gfree_n{0};                                     // changed under gfree_lock
  std::atomic<uint64_t> goidgen{0};  // atomic; ids given out in batches

  // How often a goroutine that was cut off took the place of another one, because no more may wait
  // with their threads (proc/stay.h).
  alignas(64) std::atomic<int64_t> exchanged{0};
  // About what time it is, for G::waitsince: sysmon writes it every kCoarseNs while a P runs, and
  // whoever ends sysmon's deep sleep. Beside data that hardly ever changes, because each park reads it.
  std::atomic<int64_t> coarse_now{0};

  // Stop the world.
  int32_t stopwait ABSL_GUARDED_BY(lock) = 0;
  Note stopnote;

  // How often, and for how long in all and at most, the world was stopped; from the request until it goes
  // on. Written with the world stopped, atomic for metrics.
  int64_t stop_began = 0;  // owner: who stops it
  std::atomic<int64_t> stops{0};
  std::atomic<int64_t> stop_ns{0};
  std::atomic<int64_t> stop_longest_ns{0};
  TimeCounts stop_times;  // owner: who stops it; metrics read

  // Ps that sysmon has taken from system calls, and Ps that were taken from threads that slept, by sysmon
  // or who stops the world. Atomic for metrics.
  std::atomic<int64_t> taken_syscall{0};
  std::atomic<int64_t> taken_asleep{0};

  // What Ms without a P count, which are rare events (PCounts): wake-ups, creations, waits for locks. And
  // how often a running goroutine was asked for its P.
  std::atomic<uint32_t> wakeups_without_p{0};
  std::atomic<uint64_t> created_without_p{0};
  std::atomic<uint64_t> mutex_wait_without_p_ns{0};
  std::atomic<uint64_t> preempt_requests{0};
  std::atomic<int64_t> leaked{
      -1};  // goroutines that the last search for leaks named; -1: none made

  // sysmon.
  std::atomic<bool> sysmonwait{false};  // sysmon sleeps deeply; changed under lock
  Note sysmonnote;
  // How often sysmon has still to look for a deadlock (proc/checkdead.cc); changed under lock.
  std::atomic<int32_t> dead_checks{0};

  // Poller.
  Atomic<int64_t> lastpoll{0};               // time of the last poll; 0: an M sleeps in it
  Atomic<int64_t> poll_until{0};             // until when the blocked poller sleeps
  std::atomic<uint32_t> netpoll_waiters{0};  // goroutines and threads that wait for I/O

  // The program or its environment chose GOMAXPROCS, which no longer follows the CPUs.
  std::atomic<bool> custom_gomaxprocs{false};
  // Where the number of Ps comes from, for metrics.
  std::atomic<ProcsFrom> procs_from{ProcsFrom::kCpus};

  // Counts.
  std::atomic<int64_t> ngsys{0};                     // system goroutines (GoSystem)
  std::atomic<int64_t> nforeign{0};                  // foreign threads attached and not inside Run
  std::atomic<int64_t> nattached{0};                 // foreign threads attached
  int64_t procresizetime ABSL_GUARDED_BY(lock) = 0;  // when gomaxprocs last changed
  // Sum of gomaxprocs * time up to then. Seam: metrics, the time that Ps could have run.
  int64_t totaltime ABSL_GUARDED_BY(lock) = 0;
  std::atomic<bool> main_started{false};
  std::atomic<bool> main_goexited{false};  // main ended by Goexit
  std::atomic<bool> initialised{false};    // schedinit is over
  int64_t start_ns = 0;                    // const after schedinit
  uint64_t seed = 1;                       // const after schedinit; of every M's random state
  uint64_t hash_seed = 0;  // const after schedinit. Seam: hash tables whose keys come from outside
  MCache* mcache0 = nullptr;      // const after schedinit; P 0's
  int64_t runtime_init_time = 0;  // const after main began; when start-up was over
  int argc = 0;                   // const after schedinit; the program's arguments
  char** argv = nullptr;          // const after schedinit
  const char* program = "";       // const after schedinit; last part of argv[0]
};

extern Sched sched;

// The first M and its g0, there before anything can be allocated. Go: m0, g0.
extern M m0;
extern G g0;

// All Gs ever created, newest first, linked by alllink; all Ms, likewise, Ms that are gone unlinked
// under sched.lock.
extern std::atomic<G*> allgs;
extern std::atomic<int64_t> allglen;
extern std::atomic<M*> allm;

// All Ps: allp[0 .. allp_len). Entries appear in ProcResize and stay for ever.
inline constexpr int kMaxProcs = 1024;
// How old sched.coarse_now is at least when sysmon writes it anew.
inline constexpr int64_t kCoarseNs = 1'000'000;
extern std::atomic<P*> allp[kMaxProcs];
extern std::atomic<int32_t> gomaxprocs;
extern int32_t ncpu;  // const after osinit; 0 before

}  // namespace gort::rt

#endif  // GORT_GMP_SCHED_H_
