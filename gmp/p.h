// gmp/p.h: the right to run goroutines, with the resources that go with it.
// Layer     4.                                        Go: p in runtime2.go
// Fields    const after init | owner P only (the M that holds it, or a stopped world) |
//           guarded by X | atomic (protocol).
#ifndef GORT_GMP_P_H_
#define GORT_GMP_P_H_

#include <atomic>
#include <cstdint>

#include "gort/base/atomics.h"
#include "gort/gmp/counts.h"
#include "gort/gmp/g.h"
#include "gort/gmp/glist.h"
#include "gort/gmp/status.h"

namespace gort::rt {

struct M;
class MCache;
struct StackCache;

// Capacity of the local run queue, a power of two; the models shrink it so that overflow is
// reachable.
#ifdef GORT_MODEL_RUNQ_SIZE
inline constexpr uint32_t kRunqSize = GORT_MODEL_RUNQ_SIZE;
#else
inline constexpr uint32_t kRunqSize = 256;
#endif

inline constexpr int kGFreeCacheSize = 64;

// The local run queue; functions in proc/runq.h.
struct alignas(64) RunQueue {
  Atomic<uint32_t> head{0};     // atomic (consumers: CAS release; thieves: acquire)
  Atomic<G*> runnext{nullptr};  // atomic (owner P sets; thieves CAS to null)
  // The P is the only one, so nobody steals: its owner needs no locked operation. Const while the world
  // runs.
  bool alone = false;
  alignas(64) Atomic<uint32_t> tail{0};  // atomic (owner P: release; thieves: acquire)
  Atomic<G*> ring[kRunqSize] = {};       // owner P writes [tail]; read by consumers of [head]
};

struct alignas(64) P {
  int32_t id = 0;                          // const after init
  std::atomic<uint32_t> status{kPGcStop};  // atomic (gmp/status.h)
  P* link = nullptr;                       // guarded by sched.lock; idle list
  std::atomic<M*> m{nullptr};              // owner P only; atomic for retake
  std::atomic<uint32_t> schedtick{0};      // owner P increments; read by retake
  uint32_t globtick = 0;  // owner P only; decisions since somebody had a turn (kTurnPeriod)
  std::atomic<uint32_t> syscalltick{0};  // owner P increments; read by retake
  std::atomic<bool> preempt{false};      // atomic; asks the P to enter the scheduler soon
  bool ring_turn = false;                // owner P only; the last turn was the ring's
  MCache* mcache = nullptr;              // owner P only
  StackCache* stackcache = nullptr;      // owner P only
  uint64_t goidcache = 0;                // owner P only; ids [goidcache, goidcacheend)
  uint64_t goidcacheend = 0;             // owner P only
  std::atomic<int32_t> gfree_n{0};       // owner P writes; read by GCount
  G* gfreebuf[kGFreeCacheSize] = {};     // owner P only; dead Gs, the last to die is the last
  RunQueue runq;

  // Timers (timer/); proc looks at the two atomics and calls the hook when it must.
  alignas(64) Atomic<int64_t> timer0_when{0};  // atomic; earliest timer, 0: none
  std::atomic<uint32_t> num_timers{0};         // atomic

  // sysmon's notes; sysmon only.
  uint32_t sysmon_schedtick = 0;
  uint32_t sysmon_syscalltick = 0;
  int64_t sysmon_schedwhen = 0;
  int64_t sysmon_syscallwhen = 0;
  const M* sysmon_m = nullptr;    // its M at the last look, for comparison alone
  int64_t sysmon_cpu = 0;         // the CPU time of that M's thread
  int64_t sysmon_cpu_when = 0;    // when that was
  int64_t sysmon_slept_when = 0;  // when one of its threads was last seen asleep

  alignas(64) PCounts counts;  // owner P writes; metrics read
};

}  // namespace gort::rt

#endif  // GORT_GMP_P_H_
