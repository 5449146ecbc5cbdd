// preempt/safe_point.h: may a goroutine be taken off its thread here?
// What      JudgeSafePoint looks at what a signal interrupted and says yes only when it is sure.
//           No costs one retry (the monitor asks again), a wrong yes costs a deadlock or memory.
//
// What could go wrong. Pre-empted code loses its thread and goes on later, perhaps on another,
// while any other goroutine runs in between on the same thread. That hurts code which
//   a. holds a lock that others need in order to let it go on: malloc's, stdio's, the loader's. The
//      holder waits in a run queue; the thread that would run it waits for the lock.
//   b. holds a lock by thread (recursive ones), or keeps something half done in a thread-local
//      variable: malloc's caches, errno, the unwinder's and iostream's state.
//   c. is the scheduler.
// All of it is code of libraries and of gort, not of the program. So the rule is about whose code
// is running: the interrupted function and every function below it on the stack, down to the
// goroutine's first, must be the program's own (or one of a handful that only pass a call on).
// A comparator called by qsort has a frame of the C library below it: unsafe for as long as it
// runs. So are callbacks of bsearch, dl_iterate_phdr, call_once, the loader's constructors.
//
// Whose code is it?  By address in an object that is registered, and by name in the object's
// symbol table (text_class.h). The C library, the loader, libstdc++ and libgcc_s are other objects.
// Where they are linked statically, they are told apart by their names: C++ functions count as the
// program's only if their namespace, or a type in their template arguments, is; C functions only if
// they are local to a file that includes gort's headers. What has no symbol (PLT entries, hand
// written stubs, a stripped program) is unknown, and unknown is unsafe. Header-only parts of gort
// that were compiled into the program hold neither locks nor a P; what pins a P says so in m.locks.
//
// The walk uses the unwind tables, which are exact at every instruction in what gcc and clang
// generate. It must end at gort_goexit, the mark below a goroutine's first frame; a function
// without a table, a stack that is too deep (kMaxWalk) or a frame not known yet is a no. It runs on
// the signal stack and takes no lock: libgcc finds tables through _dl_find_object. (In a statically
// linked program it takes the loader's lock, which is recursive and which no frame of this stack
// holds: dl_iterate_phdr's callbacks are not safe points.)
//
// What user code itself can hold at a safe point:
//   a lock of its own: as in any threaded program. Whoever wants it meanwhile blocks or spins; the
//     holder is runnable and gets its turn, on one P too, because a spinner is pre-empted and a
//     blocked thread loses its P to the monitor. The guard of a local static under initialisation
//     is such a lock: the code between __cxa_guard_acquire and _release is the program's.
//   an exception in flight: __cxa_get_globals() of the goroutine travels with it (gmp/switch.h).
//   the address of something thread-local, or errno's: `if (errno == EINTR)` is a call that
//     returns an address and a load. When a register, or a word of the innermost frame, points into
//     the thread's static TLS, the goroutine is pre-empted but keeps its thread until it runs again
//     (SafePoint::kPin); nobody else uses that thread meanwhile. At most kMaxPinned at once.
//   std::call_once's two thread-local variables between their stores and the call of the C library:
//     they travel with the goroutine (preempt.cc).
// Not covered, and in docs/HACKING.md: a thread-local variable of the program's own that is read
// and written back by separate instructions, or whose value stands for the thread (a cached
// pthread_self). A goroutine that needs these to hold locks itself to its thread.
//
// A goroutine that blocks in a call nobody wrapped (a std::mutex, read(2), nanosleep) has frames of
// the C library and is no safe point; but it is at a system call, and that can be made without a P.
// kBlocked says so: no frame of gort (its own locks wait in the kernel too, and then the P is in
// use) and the next instruction is a system call, or one was just ended by our signal with EINTR.
// The goroutine makes the call from gort_async_preempt, between EnterSyscallBlock and ExitSyscall,
// and stays on its thread, so that what the C library was in the middle of does not matter.
//
// Cost      one signal per time slice; the walk is about a microsecond a frame.
// Layer     7. Signal handlers only.                          Go: wantAsyncPreempt,
//           isAsyncSafePoint
#ifndef GORT_PREEMPT_SAFE_POINT_H_
#define GORT_PREEMPT_SAFE_POINT_H_

#include <cstdint>

#include "gort/gmp/g.h"
#include "gort/platforms/sigctx.h"

namespace gort::rt {

inline constexpr int kMaxWalk = 256;  // frames
inline constexpr int kMaxPinned = 64;

enum class SafePoint : uint8_t {
  // Those that are acted upon come first.
  kSafe,
  kPin,       // safe if it stays on its thread
  kBlocked,   // in a system call that nobody wrapped, or about to make it: its P may go
  kNotUserG,  // not a goroutine's stack, or not running
  kPinned,    // m.locks
  kNoP,
  kNoRoom,      // for the frame on its stack
  kNotText,     // the interrupted instruction is not user code
  kFrameBelow,  // a frame of a library, or of the runtime
  kUnsure,      // the walk found code without tables, or it is too deep
  kUnknown,     // a function was not looked up yet: ask again
  kCount,
};

// "safe", "runtime lock", …
const char* SafePointName(SafePoint p);

// gp: whose code was interrupted. frame_bytes: what AsyncFramePush would take of its stack.
SafePoint JudgeSafePoint(const SigCtx& ctx, G* gp, size_t frame_bytes);

// Prepares for walks in signal handlers, and finds out how large the static TLS of a thread is.
// Once, before the first call of JudgeSafePoint.
void SafePointInit();

}  // namespace gort::rt

#endif  // GORT_PREEMPT_SAFE_POINT_H_
