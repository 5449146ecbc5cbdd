// gmp/g.h: a goroutine.
// What      the descriptor; its life is in gmp/status.h. Descriptors are never freed, only reused.
// Layer     4.                                        Go: g in runtime2.go
// Fields    carry one of: const after (or from ... to) a named step | owner M only (the M that runs
//           the G) | owner G only (code that runs on the G) | guarded by X | atomic (protocol) |
//           status (the owner of the status, gmp/status.h). "Seam:" names what
//           will use a field that nothing sets or nothing reads yet (tools/checks/fields.py).
#ifndef GORT_GMP_G_H_
#define GORT_GMP_G_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "gort/base/atomics.h"
#include "gort/gmp/gobuf.h"
#include "gort/gmp/status.h"
#include "gort/gmp/wait_reason.h"

namespace gort::rt {

struct Ancestors;
struct G;
struct LabelSet;
struct M;
struct Sudog;

// [lo, hi) of a stack, guard excluded.
struct StackBounds {
  uintptr_t lo = 0;
  uintptr_t hi = 0;
  bool Contains(uintptr_t sp) const { return lo <= sp && sp <= hi; }
};

// Values of stackguard0 that are not addresses; larger than any stack pointer. Go: stackPreempt.
inline constexpr uintptr_t kStackPreempt = ~uintptr_t{0} - 1313;

// A thread's exception state, laid out as the Itanium C++ ABI's __cxa_eh_globals (2.2.2), which ends in
// four bytes of padding. In a thread's own they are 0; in a G's they carry what has no other room in the
// cache line that a switch touches.
struct EhGlobals {
  void* caught;
  unsigned uncaught;
  // When the G became runnable, in units of 64 ns, of those whose wait is timed; 0: it is not, or the G
  // is not runnable (proc/time_to_run.cc).
  uint32_t runnable_since;
};
static_assert(sizeof(EhGlobals) == 16);

// What package local keeps for a G. end destroys it, on the G itself: that runs code of the program.
struct Locals {
  void (*end)(G* gp);
};

// A goroutine's function with its captures and arguments lies in the G when it needs no more bytes.
inline constexpr size_t kClosureInG = 64;

// Making, running and ending a plain goroutine touches the first three cache lines and no other.
struct alignas(64) G {
  // 1. What a switch touches.
  Gobuf sched;                            // status
  M* m = nullptr;                         // status; null unless running or in a system call
  Atomic<uint32_t> atomicstatus{kGIdle};  // atomic (gmp/status.h)
  int saved_errno = 0;                    // status; the thread's errno while not running
  EhGlobals eh = {};                      // status; the thread's exception state while not running
  G* schedlink = nullptr;                 // status; link of the queue that the G is on
  // The lower bound of the stack, or kStackPreempt: a request that cooperative check points see.
  std::atomic<uintptr_t> stackguard0{0};  // atomic (set by any thread, cleared by the owner M)
  // ThreadPins::pins of the context while it is not running (platforms/pins.h); 1: nothing is pinned
  // once the context has been resumed.
  int32_t pins = 1;                  // status
  std::atomic<bool> preempt{false};  // atomic (as stackguard0)
  bool may_move = false;             // const after newproc; GoOptions::may_move
  bool foreign = false;              // const after init; stands for a thread that is no M
  // A field of part 5 may be in use. While it is not set they have the values below. Whoever changes
  // one of them sets it; the end of the goroutine clears both.
  bool rare = false;  // status

  // 2. What it is.
  StackBounds stack;               // status; none: dead, or has not run yet
  void (*entry)(void*) = nullptr;  // status; the goroutine's function
  void* closure = nullptr;   // status; its argument: in closure_buf, on the stack or on the heap
  uint64_t goid = 0;         // status; 0: no goroutine's, or never used
  uintptr_t gopc = 0;        // const after newproc; where Go() was called
  uint64_t fp_control = 0;   // const after newproc; the FP control words that it begins with
  uint64_t parent_goid = 0;  // const after newproc

  // 3.
  alignas(64) unsigned char closure_buf[kClosureInG] = {};  // status

  // 4. What it waits for.
  Sudog* waiting = nullptr;   // status; where a channel's call or a select waits
  void* param = nullptr;      // status; from the waker: of a channel, the Sudog
  void* waitlock = nullptr;   // owner M only; argument of the park's unlock function
  uintptr_t stackguard1 = 0;  // status; of a g0, its lower bound. Seam: checks of a stack pointer
  int64_t waitsince = 0;      // status; since about when it waits (sched.coarse_now)
  // Until when Sleep sleeps. Owner G only.
  int64_t sleep_when = 0;
  std::atomic<uint32_t> select_done{0};       // atomic (0 -> 1 by the case that wins)
  int32_t nested_syscalls = 0;                // owner G only; EnterSyscalls within the outermost
  WaitReason waitreason = WaitReason::kZero;  // status

  // 5. What most goroutines never need (rare).
  bool system = false;     // const after newproc; GoSystem's, counted in sched.ngsys
  bool is_main = false;    // owner G only; the main function of Run or rt0
  bool goexiting = false;  // owner M only; Goexit is unwinding
  bool leaked =
      false;  // written with the world stopped; the last search (leak/) says so of its wait
  bool closure_on_heap = false;    // status
  uint8_t closure_align_log2 = 0;  // status; of a closure on the heap
  Locals* locals = nullptr;        // owner G only; null: has no values of a Local
  M* lockedm = nullptr;            // status; LockOSThread
  // What a signal interrupted, of one that waits for a P in the handler; null: sched has the context.
  void* signal_context = nullptr;  // status; a ucontext_t
  // The creator's stack, its creator's, and so on (traceback/ancestors.h); null: not saved.
  Ancestors* ancestors = nullptr;  // const from newproc to goexit
  const char* name = nullptr;      // const after newproc; GoOptions::name, in name_buf
  // What the program calls its work (gmp/labels.h); null: nothing. Owner G only, and a handler that
  // interrupts it; atomic for that.
  std::atomic<LabelSet*> labels{nullptr};
  // The bubble of virtual time that the G lives in (timer/internal/bubble.h): its creator's; null: none.
  std::atomic<void*> bubble{nullptr};  // owner M only; atomic for readers of all Gs

  // 6.
  char name_buf[24] = {};
  G* alllink = nullptr;  // const after it is published on allgs
  // Sanitizer state (gmp/switch.h).
  union {
    void* tsan_fiber = nullptr;  // const from creation of the stack to its end
    void* asan_fake_stack;       // owner M only
  };
  // The _Unwind_Exception of Goexit, here because it must outlive the frames that it unwinds.
  alignas(16) unsigned char goexit_exception[32] = {};  // owner M only
};
#ifndef GORT_MODEL
static_assert(offsetof(G, stack) == 64 && offsetof(G, closure_buf) == 128);
static_assert(sizeof(G) == 384);
#endif

}  // namespace gort::rt

#include "gort/gmp/transitions.h"  // IWYU pragma: export

#endif  // GORT_GMP_G_H_
