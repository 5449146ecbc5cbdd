// lock/note.h: a one-shot event for one sleeping M.
// What      Sleep returns when Wakeup is called, or was called before. Clear makes the Note usable
//           again.
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

  // Requires: no thread is in Sleep, TSleep or Wakeup, or about to call Wakeup. After a TSleep that
  // timed out, Wakeup may still come; the caller of Clear must know that it does not. Go: noteclear.
  void Clear() { key_.store(0, std::memory_order_relaxed); }  // ordered by the requirement
  // Lets the sleeper go. Throws "notewakeup - double wakeup" for a second call since Clear.
  // Go: notewakeup.
  void Wakeup();
  // Blocks the thread until Wakeup. Go: notesleep.
  void Sleep();
  // As Sleep, for at most ns nanoseconds (negative: no limit); true when woken. Go: notetsleep.
  bool TSleep(int64_t ns);
  // Wakeup was called. For tests.
  bool IsSet() const { return key_.load(std::memory_order_acquire) != 0; }  // pairs with: Wakeup

 private:
  std::atomic<uint32_t> key_{0};
};

}  // namespace gort::rt

#endif  // GORT_LOCK_NOTE_H_
