// platforms/pins.h: whether a thread is inside of gort, and must be left alone there.
// What      a goroutine may lose its P between any two instructions, to a signal or to another thread
//           that finds its thread asleep, but not while gort itself works for it: it may then hold a
//           runtime lock, or have something of its P's in its hands. Two counts of each thread say
//           so, and no name, address or table:
//             pins    raised by the functions of gort that use the P or what belongs to it. It is 1
//                     on every thread from its beginning, so that only a thread that runs the code
//                     of a goroutine can have 0. It travels with the context (gmp/switch.h).
//             locks   runtime locks that the thread holds (lock/mutex.h). It stays with the thread,
//                     because a lock that is held over a park is released by the next context.
//           lost says that the goroutine here goes on without a P. A function that needs one asks
//           for it after it has raised pins (proc/stay.h).
// Order     the thread raises pins, then reads lost. Who takes the P stores lost, then, with a
//           barrier on all threads between, reads pins: one of them sees the other (Dekker's
//           algorithm; the thread's own barrier is left to membarrier(2), because it would cost it
//           20 ns each time). Where the system has no such barrier, the kernel's word does instead
//           that the thread has slept from before the store until after it.
// Access    in one volatile asm each, because a compiler may keep the address of a thread-local
//           variable over a call that returns on another thread (gmp/getg.h).
// Layer     2. Any thread, any stack, signal handlers.           Go: m.locks, m.preemptoff
#ifndef GORT_PLATFORMS_PINS_H_
#define GORT_PLATFORMS_PINS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "gort/base/attributes.h"
#include "gort/base/hook.h"
#include "gort/platforms/arch.h"

namespace gort::rt {

// The thread writes pins and locks; who takes its P writes lost, and the thread itself.
struct ThreadPins {
  std::atomic<int32_t> pins{1};
  std::atomic<int32_t> locks{0};
  std::atomic<int32_t> lost{0};

  // Of another thread: after a barrier, see Order.
  bool busy() const {
    // pairs with: Unpin and the end of a lock, which are no earlier than what they end
    return pins.load(std::memory_order_acquire) != 0 || locks.load(std::memory_order_acquire) != 0;
  }
};

}  // namespace gort::rt

extern "C" {
// Used: the asm of arch_<cpu>.h is the one to name it. Hidden: each of several libraries that have
// gort inside has its own, where the dynamic linker would make one of all inline variables.
__attribute__((tls_model("initial-exec"), visibility("hidden"),
               used)) inline thread_local constinit gort::rt::ThreadPins gort_tls_pins;
}

namespace gort::rt {

// Under ThreadSanitizer, which sees no asm: what the thread has done so far comes before what somebody
// does who finds it not busy.
void TellTsanOfPins();

GORT_ALWAYS_INLINE void Pin() { arch::AddToPins<offsetof(ThreadPins, pins)>(1); }
GORT_ALWAYS_INLINE void Unpin() {
  if (GORT_TSAN) TellTsanOfPins();
  arch::AddToPins<offsetof(ThreadPins, pins)>(-1);
}
GORT_ALWAYS_INLINE void CountLock() { arch::AddToPins<offsetof(ThreadPins, locks)>(1); }
GORT_ALWAYS_INLINE void UncountLock() {
  if (GORT_TSAN) TellTsanOfPins();
  arch::AddToPins<offsetof(ThreadPins, locks)>(-1);
}

// The calling thread's.
GORT_ALWAYS_INLINE int32_t Pins() { return arch::LoadPins<offsetof(ThreadPins, pins)>(); }
GORT_ALWAYS_INLINE void SetPins(int32_t n) { arch::StorePins<offsetof(ThreadPins, pins)>(n); }
GORT_ALWAYS_INLINE int32_t LocksCounted() { return arch::LoadPins<offsetof(ThreadPins, locks)>(); }
GORT_ALWAYS_INLINE bool PLost() { return arch::LoadPins<offsetof(ThreadPins, lost)>() != 0; }
GORT_ALWAYS_INLINE void SetPLost(bool lost) {
  arch::StorePins<offsetof(ThreadPins, lost)>(lost ? 1 : 0);
}
// Its address, for who may take its P. Valid until the thread ends.
ThreadPins* PinsOfThisThread();

// Called, pinned, by a goroutine that has lost its P and needs one; returns when it has one. The
// default does nothing: without a scheduler nobody loses a P. Set by proc/stay.cc.
extern Hook<void()> regain_p_hook;

// Pins, and gets a P if the calling goroutine has lost its own. On other threads: pins.
GORT_ALWAYS_INLINE void PinWithP() {
  Pin();
  if (GORT_UNLIKELY(PLost())) regain_p_hook();
}

// As PinWithP, for as long as it lives. Before any lock is taken under which a P is needed.
class PinnedWithP {
 public:
  GORT_ALWAYS_INLINE PinnedWithP() { PinWithP(); }
  GORT_ALWAYS_INLINE ~PinnedWithP() { Unpin(); }
  PinnedWithP(const PinnedWithP&) = delete;
  PinnedWithP& operator=(const PinnedWithP&) = delete;
};

// Keeps the calling thread pinned while it lives, with or without a P.
class Pinned {
 public:
  GORT_ALWAYS_INLINE Pinned() { Pin(); }
  GORT_ALWAYS_INLINE ~Pinned() { Unpin(); }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
};

// As Pinned, where it ends as it began: with no call in between that leaves the thread pinned. The
// count is put back instead of taken down, so that of two such sections the second waits for one
// store of the first and not for two.
class PinnedBriefly {
 public:
  GORT_ALWAYS_INLINE PinnedBriefly() : before_(Pins()) { SetPins(before_ + 1); }
  GORT_ALWAYS_INLINE ~PinnedBriefly() {
    if (GORT_TSAN) TellTsanOfPins();
    arch::PutPinsBack<offsetof(ThreadPins, pins)>(before_);
  }
  PinnedBriefly(const PinnedBriefly&) = delete;
  PinnedBriefly& operator=(const PinnedBriefly&) = delete;

 private:
  const int32_t before_;
};

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_PINS_H_
