// base/throw.h: dying, and printing without allocating.
// What      Throw ends the process for a broken invariant of the runtime, Fatal for a fault of the
//           user's program that no handler may see (unlock of an unlocked mutex). Both print
//           "fatal error: <text>", then what the report hook adds (tracebacks), and end as ExitFatal
//           does: with status 2, or by SIGABRT after CrashOnFatal.
// Layer     1. Takes no lock, allocates nothing.                       Go: panic.go, print.go
// Contract  | call         | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | Printer      |   x    | x  |  x   |    x    |    x    |   -   |     -     |
//           | Throw, Fatal |   x    | x  |  x   |    x    |    x    |   -   |     -     |
//           Needs about 1 KiB of stack. errno is left as it was.
// Invariant one report a process: the first thread to die prints, the others stop where they die.
//           A second death on the reporting thread (a fault inside the report) adds its one line
//           and exits, so that a broken traceback never hides the reason or hangs. From a signal
//           handler too: the report runs with SIGSEGV, SIGBUS, SIGFPE and SIGILL unblocked.
#ifndef GORT_BASE_THROW_H_
#define GORT_BASE_THROW_H_

#include <cstddef>
#include <cstdint>

#include "gort/base/attributes.h"
#include "gort/base/hook.h"

namespace gort::rt {

// Formats into a fixed buffer. Flush, the destructor and a full buffer (kBufferBytes) write it to
// stderr by one write(2), so that lines of several threads do not mix. When stderr is closed, or is
// non-blocking and full for a second, the text is lost: there is no other place to report that. A
// blocking stderr that nobody reads blocks the thread; SIGPIPE is left to the program.
// Not thread-safe: a Printer lives in one function.
class Printer {
 public:
  static constexpr size_t kBufferBytes = 512;

  Printer() = default;
  // Appends to out[0..cap) instead of writing to stderr; what does not fit is dropped. Writes no
  // terminating zero: size() says how much there is. out must not be null.
  Printer(char* out, size_t cap) : sink_(out), cap_(cap) {}
  ~Printer() { Flush(); }
  Printer(const Printer&) = delete;
  Printer& operator=(const Printer&) = delete;

  // The n bytes at s, whatever they are.
  Printer& Str(const char* s, size_t n);
  // A zero-terminated string; "(null)" for a null pointer.
  Printer& operator<<(const char* s);
  Printer& operator<<(char c) { return Str(&c, 1); }
  Printer& operator<<(bool b) { return *this << (b ? "true" : "false"); }
  Printer& operator<<(int v) { return *this << static_cast<long long>(v); }
  Printer& operator<<(unsigned v) { return *this << static_cast<unsigned long long>(v); }
  Printer& operator<<(long v) { return *this << static_cast<long long>(v); }
  Printer& operator<<(unsigned long v) { return *this << static_cast<unsigned long long>(v); }
  Printer& operator<<(long long v);
  Printer& operator<<(unsigned long long v);
  // 0x… in lower case, without leading zeros.
  Printer& Hex(uint64_t v);
  Printer& operator<<(const void* p) { return Hex(reinterpret_cast<uintptr_t>(p)); }

  // Writes what is buffered. Does nothing for a Printer with a buffer of its own.
  void Flush();
  // Bytes accepted so far: never more than cap in the second form.
  size_t size() const { return total_; }

 private:
  char buf_[kBufferBytes];
  size_t n_ = 0;
  size_t total_ = 0;
  char* sink_ = nullptr;
  size_t cap_ = 0;
};

// Called by Throw and Fatal after the message and before the exit; prints tracebacks.
// `all`: every goroutine is wanted (Fatal), not only the current one. Runs wherever Throw was
// called, so it must be async-signal-safe and take no lock. Set by runtime/internal/boot.cc.
extern Hook<void(bool all)> fatal_report_hook;

// Reports a broken invariant of the runtime and ends the process. Go: throw.
[[noreturn]] void Throw(const char* text);
// The same for a fault of the program that must not be caught. Go: fatal.
[[noreturn]] void Fatal(const char* text);

// The two halves of a fatal path that prints a report of its own (a panic, a fault):
//   BeginFatal(); Printer() << …; fatal_report_hook(all); ExitFatal();
// BeginFatal takes the right to print the one report of the process. For later callers on other
// threads it does not return; a second call by the same thread ends the process at once.
// Go: startpanic_m, dopanic_m.
void BeginFatal();
// Called by ExitFatal before the process ends, once; it may wait for other threads, for a moment. As
// fatal_report_hook otherwise. Set by trace/.
extern Hook<void()> fatal_exit_hook;

// Ends the process with status 2, or by SIGABRT after CrashOnFatal: no exit handlers, no destructors,
// no buffers flushed. Go: exit.
[[noreturn]] void ExitFatal();
// From here on ExitFatal ends the process by SIGABRT's default action, which may leave a core dump,
// whatever handler the signal has. Any thread. Go: GOTRACEBACK=crash
void CrashOnFatal();

#define GORT_STRINGIZE_(x) #x
#define GORT_STRINGIZE(x) GORT_STRINGIZE_(x)

// Throws when cond is false, with its text and place; always on.
#define GORT_CHECK(cond)                                                                      \
  do {                                                                                        \
    if (!(cond)) [[unlikely]]                                                                 \
      ::gort::rt::Throw("check failed: " #cond " at " __FILE__ ":" GORT_STRINGIZE(__LINE__)); \
  } while (0)

// As GORT_CHECK, in debug builds only; elsewhere the condition is compiled and not evaluated.
#define GORT_DCHECK(cond)                               \
  do {                                                  \
    if constexpr (::gort::rt::kDebug) GORT_CHECK(cond); \
  } while (0)

}  // namespace gort::rt

#endif  // GORT_BASE_THROW_H_
