// chan/internal/hchan.h: the channel, without its element type.
// What      a lock, a ring of dataqsiz elements, and two queues of waiting goroutines. chan.h puts
//           types on top; select.cc works on the same parts.
// Layer     7.                                        Go: hchan, waitq in chan.go
// Invariant (lock held)
//           - recvq or sendq is empty, except for one goroutine that waits on both sides of the
//             channel in one select;
//           - a waiting receiver means an empty channel, a waiting sender one without room: qcount
//             == limit, and qcount <= limit at all times;
//           - after close both queues stay empty, and qcount never grows again.
// Hand-over An operation that finds its peer waiting copies the element straight between the two
//           frames, under the lock, and wakes the peer after releasing it. The element of a blocked
//           sender therefore stays in the sender's frame until somebody takes it.
// Elements  are bytes here: they are copied with the lock held, and no code of the program is. What
//           cannot be carried as bytes is boxed by element.h, and the channel carries the pointer.
// Ordering  closed, qcount and the heads of the queues are written with the lock held and read
//           without it by the checks at the start of non-blocking operations (see hchan.cc).
// Contract  | call          | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | ChanSend/Recv |   x    | -  |  -   |    -    |    x    |   x   |     -     |
//           |  non-blocking |   x    | x  |  x   |    -    |    x    |   -   |     -     |
//           | CloseChan     |   x    | x  |  x   |    -    |    x    |   -   |     -     |
#ifndef GORT_CHAN_INTERNAL_HCHAN_H_
#define GORT_CHAN_INTERNAL_HCHAN_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "gort/base/attributes.h"
#include "gort/gmp/wait_reason.h"
#include "gort/lock/brief_mutex.h"

namespace gort::rt {

struct G;
struct Sudog;

// What a channel must know of its element type. One constant per type.
struct ElemType {
  size_t size;   // bytes that an element takes; 0: there is nothing to carry
  size_t align;  // of an element
  // For an element that nobody received; called without the lock. Null: nothing to do.
  void (*destroy)(void* elem) noexcept;
};

// An element on the heap; what the channel carries is a BoxBase*.
struct BoxBase {
  BoxBase* next = nullptr;  // guarded by the lock of the channel that it was given back to
};

// Goroutines that wait on one side of a channel, first come first served. Guarded by the channel's
// lock, except that Empty may be asked without it. Bodies: wait_queue.h. Go: waitq
class WaitQ {
 public:
  inline void Enqueue(Sudog* s);
  // Takes the first waiter that can be woken off the queue; null: there is none. A goroutine in a
  // select is woken by the peer that sets its select_done first, and other peers skip it.
  inline Sudog* Dequeue();
  // Takes s off if it is still there.
  inline void Remove(Sudog* s);
  bool Empty() const {
    return first_.load(std::memory_order_acquire) == nullptr;  // pairs with: SetFirst
  }

 private:
  Sudog* First() const { return first_.load(std::memory_order_relaxed); }  // lock held
  void SetFirst(Sudog* s) { first_.store(s, std::memory_order_release); }  // pairs with: Empty

  std::atomic<Sudog*> first_{nullptr};
  Sudog* last_ = nullptr;
};

// Two cache lines: what every operation writes, and what most of them only read.
struct alignas(kCacheLine) HChan {
  HChan(const ElemType* t, size_t capacity, char* ring)
      : dataqsiz(capacity), type(t), buf(ring), limit(capacity) {}

  BriefMutex lock{LockRank::kHchan};
  std::atomic<bool> closed{false};  // false -> true under lock
  char unused[7] = {};  // Seam: leak/, which takes what the memory held before for an address
  std::atomic<size_t> qcount{0};           // elements in the ring; written under lock
  size_t recvx ABSL_GUARDED_BY(lock) = 0;  // index of the ring's oldest element
  WaitQ recvq;                             // waiting receivers
  WaitQ sendq;                             // waiting senders

  alignas(kCacheLine) const size_t dataqsiz;  // elements that fit into the ring; 0: unbuffered
  const ElemType* const type;                 // const after init
  char* const buf;                            // const after init; the ring, behind this header
  // dataqsiz, less the places that sends have reserved (ChanTrySendBox).
  size_t limit ABSL_GUARDED_BY(lock);
  // Boxes whose receiver could not move the element out; they go to the next receivers, before
  // everything else. Written under lock.
  std::atomic<BoxBase*> returned{nullptr};
  std::atomic<size_t> refs{1};   // handles; see HChanRef
  uintptr_t unused_too[2] = {};  // Seam: as unused
};
static_assert(sizeof(HChan) == 2 * kCacheLine);

enum class RecvResult : uint8_t { kReceived, kClosed, kWouldBlock };

// A new channel with one reference. Throws Panic("makechan: size out of range") when the ring does
// not fit into the address space, std::bad_alloc when there is no memory for it. Go: makechan
HChan* MakeHChan(const ElemType* type, size_t capacity);
// HChanRef adds an owner, HChanUnref takes one away; the last to go destroys the elements that were
// never received. With a null channel both do nothing.
void HChanRef(HChan* c);
void HChanUnref(HChan* c);

// The size of an element that the operation has to ask the channel for.
inline constexpr size_t kAnySize = ~size_t{0};

// Sends *elem: its bytes are taken, and the element with them, exactly when it returns true. False:
// block is false, and nobody takes the element now. Throws Panic("send on closed channel"); *elem
// is then the caller's. A null channel blocks for ever. Go: chansend
bool ChanSend(HChan* c, void* elem, bool block);
// The same, waiting, for elements of kSize bytes that are not boxed: 0, 8, 16, or kAnySize, which is
// for boxes too.
template <size_t kSize>
void ChanSendAndWait(HChan* c, void* elem);

// What an attempt came to.
enum class Attempt : uint8_t { kDone, kClosed, kWouldBlock };

// Sends *elem if that is possible now; it is taken exactly when the result is kDone. A null channel:
// kWouldBlock.
Attempt ChanTrySend(HChan* c, void* elem);

// As ChanTrySend of a box that holds no element yet. Once a receiver or a place in the ring is
// reserved fill(arg) constructs the element, without the lock; others find the channel so much
// fuller meanwhile. What fill throws goes to the caller, and the reservation is taken back. kClosed
// also when the channel is closed between fill and the send to the reserved place.
Attempt ChanTrySendBox(HChan* c, BoxBase* box, void (*fill)(void* arg), void* arg);

// Receives into *dst, which is raw memory, exactly when the result is kReceived. kWouldBlock: block
// is false, and there is nothing now. Go: chanrecv
RecvResult ChanRecv(HChan* c, void* dst, bool block);
// The same, waiting, as ChanSendAndWait; false: closed.
template <size_t kSize>
bool ChanRecvAndWait(HChan* c, void* dst);

// Gives the last received box back: the next receiver gets it.
void ChanUnrecv(HChan* c, BoxBase* box);

// Throws Panic("close of nil channel") and Panic("close of closed channel"). Go: closechan
void CloseChan(HChan* c);

// Elements that wait to be received / that fit into the buffer. A snapshot. Null: 0.
size_t ChanLen(const HChan* c);
size_t ChanCap(const HChan* c);

// True when a send / a receive would block now; asked without the lock. Requires: c is not null.
bool ChanSendWouldBlock(const HChan* c);
bool ChanRecvWouldBlock(const HChan* c);

// Called by the typed front when a non-blocking operation had to report that it would block: its
// caller may be polling in a loop, and this is where it can be pre-empted. Not part of the
// operations themselves, which may be called with runtime locks held.
void PollFailed();

// ---- for select.cc ----

// Sends or receives if that is possible without waiting. When a peer was waiting, *wake is set to
// it: GoReady it once the lock is released. Go: send, recv
Attempt SendLocked(HChan* c, void* elem, G** wake) ABSL_EXCLUSIVE_LOCKS_REQUIRED(c->lock);
Attempt RecvLocked(HChan* c, void* dst, G** wake) ABSL_EXCLUSIVE_LOCKS_REQUIRED(c->lock);

// Sleeps with nobody to wake it.
[[noreturn]] void ParkForever(WaitReason reason);
[[noreturn]] void PanicSendOnClosed();

}  // namespace gort::rt

#endif  // GORT_CHAN_INTERNAL_HCHAN_H_
