// lock/note.h: a one-shot event for one sleeping M.
// What      Sleep returns once Wakeup was called, before or after. Clear makes it usable again.
// Layer     3. Wakeup may be called from any thread and from signal handlers, once per Clear.
//           Sleep blocks the OS thread.                                     Go: lock_futex.go, note
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

  // Requires: nobody sleeps or wakes. Go: noteclear.
  void Clear() { key_.store(0, std::memory_order_relaxed); }
  // Everything before Wakeup happens before Sleep's return. Fatal when called twice. Go:
  // notewakeup.
  void Wakeup();
  // Go: notesleep.
  void Sleep();
  // Sleeps at most ns nanoseconds (negative: no limit); true when woken. Go: notetsleep.
  bool TSleep(int64_t ns);
  bool IsSet() const { return key_.load(std::memory_order_acquire) != 0; }

 private:
  std::atomic<uint32_t> key_{0};
};

}  // namespace gort::rt

#endif  // GORT_LOCK_NOTE_H_
