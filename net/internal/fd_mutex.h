// net/internal/fd_mutex.h: who may use a descriptor, and when it may go.
// What      counts the operations in progress on a descriptor, lets one reader and one writer in at
//           a time, and tells the last operation to leave after Close that it is the last: that one
//           closes the descriptor in the kernel, so its number cannot be another file's while an
//           operation may use it.
// Layer     11, used by net only.                                    Go: fdMutex (fd_mutex.go)
// Invariant each operation, each holder and each waiter of a lock has a reference. After
//           IncRefAndClose nobody gets a reference; one release, the one that makes the count 0,
//           returns true.
// Cost      one atomic read-modify-write to enter and one to leave, without contention.
// Contract  | call                | user G | g0 | foreign | parks | allocates |
//           | Lock                |   x    | -  |    x    |   x   | sudog     |
//           | the others          |   x    | -  |    x    |   -   |     -     |
#ifndef GORT_NET_INTERNAL_FD_MUTEX_H_
#define GORT_NET_INTERNAL_FD_MUTEX_H_

#include <atomic>
#include <cstdint>

namespace gort {
class Context;
}  // namespace gort

namespace gort::rt {

struct SemWait;

enum class FdSide : uint8_t { kRead, kWrite };
enum class FdLock : uint8_t {
  kLocked,
  kClosed,           // closed before the call; nothing is held
  kClosedReference,  // closed while waiting; the reference is still held: DecRef
  kGivenUp,          // the context ended while waiting; the same
};

class FdMutex {
 public:
  constexpr FdMutex() = default;
  FdMutex(const FdMutex&) = delete;
  FdMutex& operator=(const FdMutex&) = delete;

  // False: closed. Panics beyond 2^20 - 1 references. Go: incref
  bool IncRef();
  // True: closed, and this was the last reference. Go: decref
  bool DecRef();
  // Takes a reference, refuses all further ones, wakes who waits for a lock. False: was closed.
  // Go: increfAndClose
  bool IncRefAndClose();

  // Takes a reference and the lock of one side; waits for the lock, not past IncRefAndClose, nor past
  // the end of ctx (may be null). Go: rwlock
  FdLock Lock(FdSide side, const Context* ctx = nullptr);
  // Releases both; result as DecRef. Go: rwunlock
  bool Unlock(FdSide side);

 private:
  friend struct FdMutexPeek;  // of the test

  // Bits: closed, a lock a side, 20 bits of references, 20 of waiters for each side.
  static constexpr uint64_t kClosed = 1;
  static constexpr uint64_t kOneRef = uint64_t{1} << 3;
  static constexpr uint64_t kCount = (uint64_t{1} << 20) - 1;
  static constexpr uint64_t kRefs = kCount << 3;

  struct Bits {
    uint64_t lock;
    uint64_t one_waiter;
    uint64_t waiters;
  };
  static constexpr Bits BitsOf(FdSide side) {
    const int shift = side == FdSide::kRead ? 23 : 43;
    return Bits{side == FdSide::kRead ? uint64_t{2} : uint64_t{4}, uint64_t{1} << shift,
                kCount << shift};
  }
  std::atomic<uint32_t>* SemaOf(FdSide side) {
    return side == FdSide::kRead ? &read_sema_ : &write_sema_;
  }
  FdLock Await(FdSide side, SemWait* wait);
  FdLock AwaitUntil(FdSide side, const Context& ctx);
  FdLock GiveUp(FdSide side);
  bool TakeIfFree(FdSide side);

  std::atomic<uint64_t> state_{0};
  std::atomic<uint32_t> read_sema_{0};
  std::atomic<uint32_t> write_sema_{0};
};

}  // namespace gort::rt

#endif  // GORT_NET_INTERNAL_FD_MUTEX_H_
