// lock/note.h: a one-shot event for one sleeping M.
// What      Sleep returns once Wakeup was called, before or after. Clear makes it usable again.
// Layer     3.                                                     Go: note (lock_futex.go)
// Invariant key is 0 (not yet) or 1 (woken). One Wakeup and one sleeper per Clear.
// Ordering  what the waker did before Wakeup happens before what the sleeper does after Sleep,
//           after a TSleep that is true, and after an IsSet that is true.
// Lifetime  the sleeper may free the Note as soon as Sleep returns.
// Contract  | call             | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | Sleep, TSleep    |   -    | x  |  x   |    -    |    x    | the M |     -     |
//           | Wakeup           |   x    | x  |  x   |    x    |    x    |   -   |     -     |
#ifndef GORT_LOCK_NOTE_H_
#define GORT_LOCK_NOTE_H_

#include <atomic>
#include <cstdint>

namespace gort::rt {

class Note {
 public:
  constexpr Note() = default;
  Note(const Note&) = delete;
  Note& operator=(const Note&) = delete;

  // Requires: nobody sleeps or is about to wake. After a TSleep that timed out the Wakeup may still
  // be on its way: only who knows that it is not may clear. Go: noteclear.
  void Clear() { key_.store(0, std::memory_order_relaxed); }  // ordered by the requirement
  // Lets the sleeper go. Throws "notewakeup - double wakeup" when it was called before since Clear.
  // Go: notewakeup.
  void Wakeup();
  // Blocks the thread until Wakeup. Go: notesleep.
  void Sleep();
  // As Sleep, for at most ns nanoseconds (negative: no limit); true when woken. Go: notetsleep.
  bool TSleep(int64_t ns);
  // Wakeup was called.
  bool IsSet() const { return key_.load(std::memory_order_acquire) != 0; }  // pairs with: Wakeup

 private:
  std::atomic<uint32_t> key_{0};
};

}  // namespace gort::rt

#endif  // GORT_LOCK_NOTE_H_
