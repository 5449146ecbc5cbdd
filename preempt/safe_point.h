// preempt/safe_point.h: may a goroutine be taken off its thread here?
// What      JudgeSafePoint looks at what a signal interrupted, and says yes when it is sure. A no
//           costs one retry (the monitor asks again); a wrong yes costs a deadlock or memory.
//
// A goroutine that is interrupted stays on its thread: only the P leaves, nobody runs there until the
// goroutine goes on, and what belongs to the thread is as it was. The price is a thread for each
// that waits, so no more than kMaxStaying do, and none that has promised that it may move
// (GoOptions::may_move). The others lose their thread, and what follows is about them.
//
// What could go wrong. Such code goes on later, perhaps on another thread, while any other goroutine
// runs in between on the same thread. That hurts code which
//   a. holds a lock that others need in order to let it go on: malloc's, stdio's, the loader's. The
//      holder waits in a run queue; the thread that would run it waits for the lock.
//   b. holds a lock by thread (recursive ones), or keeps something half done in a thread-local
//      variable: malloc's caches, errno, the unwinder's and iostream's state.
//   c. is the scheduler.
// Such code belongs to libraries and to gort, not to the program. So the rule is about whose code
// is running: the interrupted function and every function below it on the stack, down to the
// goroutine's first, must be the program's own, or one of a handful that pass a call on
// (TextClass::kCarrier). A comparator that qsort calls is unsafe for as long as it runs, because
// the C library has a frame below it. So are callbacks of bsearch, dl_iterate_phdr and call_once,
// and constructors that the loader calls.
//
// Whose code is it?  The address says in which object a function lies, and the object's symbol
// table says its name (text_class.h). The C library, the loader, libstdc++ and libgcc_s are other
// objects than the program. Where they are linked statically, names tell them apart:
//
//   a C++ function is the program's   if its namespace, or a type in its template arguments, is
//   a C function is the program's     if it is local to a file that includes gort's headers
//   what has no symbol is unknown     (PLT entries, hand-written stubs, a stripped program), and
//                                     unknown is unsafe
//
// Header-only parts of gort that were compiled into the program hold neither locks nor a P; what
// pins a P says so in m.locks.
//
// The walk uses the unwind tables, which are exact at every instruction in what gcc and clang
// generate. It must end at gort_goexit, the mark below a goroutine's first frame; a function
// without a table, a stack that is too deep (kMaxWalk) or a frame not known yet is a no. It runs on
// the signal stack and takes no lock: libgcc finds tables through _dl_find_object. (In a statically
// linked program it takes the loader's lock, which is recursive and which no frame of this stack
// holds: dl_iterate_phdr's callbacks are not safe points.)
//
// What user code itself can hold at a safe point:
//   a lock of its own: as in any threaded program. A thread that wants the lock meanwhile blocks or
//     spins. The holder is runnable and gets its turn, with one P too, because a spinner is
//     pre-empted and a blocked thread loses its P to the monitor. The guard of a local static under
//     initialisation is such a lock: the code between __cxa_guard_acquire and _release is the
//     program's.
//   an exception in flight: __cxa_get_globals() of the goroutine travels with it (gmp/switch.h).
//   the address of something thread-local, or errno's: `if (errno == EINTR)` is a call that
//     returns an address and a load. When a register, or a word of the innermost frame, points into
//     the thread's static TLS, the goroutine stays on its thread in any case (SafePoint::kPin). At
//     most kMaxPinned stay at once.
//   std::call_once's two thread-local variables between their stores and the call of the C library:
//     they travel with the goroutine (preempt.cc).
// Not covered, for a goroutine that does not stay: a thread-local variable of the program's own that
// is read and written back by separate instructions, or whose value stands for the thread (a cached
// pthread_self), and locks that know their thread. With more than kMaxStaying goroutines cut off at
// once, one that needs these to hold locks itself to its thread.
//
// A goroutine that blocks in a call that is not wrapped in Blocking (a std::mutex, read(2),
// nanosleep) has frames of the C library and is no safe point; but it is at a system call, and that
// can be made without a P. kBlocked says so: the next instruction is a system call, or our signal
// has just ended one with EINTR, and no frame is gort's (gort's own locks wait in the kernel too,
// and then the P is in use). The goroutine makes the call from gort_async_preempt, between
// EnterSyscallBlock and ExitSyscall, and stays on its thread, so that what the C library was in the
// middle of does not matter.
//
// Cost      one signal per time slice; the walk is about a microsecond a frame.
// Layer     7. Signal handlers only.            Go: wantAsyncPreempt, isAsyncSafePoint
#ifndef GORT_PREEMPT_SAFE_POINT_H_
#define GORT_PREEMPT_SAFE_POINT_H_

#include <cstdint>

#include "gort/gmp/g.h"
#include "gort/platforms/sigctx.h"

namespace gort::rt {

inline constexpr int kMaxWalk = 256;  // frames
// Gs that keep their threads: because they had better, and because they must.
inline constexpr int kMaxStaying = 1000;
inline constexpr int kMaxPinned = 4000;

enum class SafePoint : uint8_t {
  // Those that are acted upon come first.
  kSafe,
  kPin,       // safe if the G stays on its thread; from the handler also: it does stay
  kBlocked,   // the G is in a system call that is not wrapped, or about to make it: its P may go
  kNotUserG,  // not a goroutine's stack, or the G is not running
  kPinned,    // m.locks, or kMaxPinned Gs keep their threads already
  kNoP,
  kNoRoom,      // on the G's stack, for the frame
  kNotText,     // the interrupted instruction is not user code
  kFrameBelow,  // a frame of a library, or of the runtime
  kUnsure,      // the walk found code without tables, or it is too deep
  kUnknown,     // a function was not looked up yet: ask again
  kCount,
};

// "safe", "blocked call", …
const char* SafePointName(SafePoint p);

// gp: whose code was interrupted. frame_bytes: what AsyncFramePush would take of its stack.
SafePoint JudgeSafePoint(const SigCtx& ctx, G* gp, size_t frame_bytes);

// Prepares for walks in signal handlers, and finds out how large the static TLS of a thread is.
// Once, before the first call of JudgeSafePoint.
void SafePointInit();

}  // namespace gort::rt

#endif  // GORT_PREEMPT_SAFE_POINT_H_
