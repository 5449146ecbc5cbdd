// base/throw.h: dying, and printing without allocating.
// What      Throw ends the process for a broken invariant of the runtime, Fatal for a fault of the
//           user's program that no handler may see (unlock of an unlocked mutex). Both print
//           "fatal error: <text>", then whatever the report hook adds (tracebacks), then exit 2.
// Layer     1. Everything here is async-signal-safe and may be called from any thread and stack.
#ifndef GORT_BASE_THROW_H_
#define GORT_BASE_THROW_H_

#include <cstddef>
#include <cstdint>

#include "base/attributes.h"
#include "base/hook.h"

namespace gort::rt {

// Formats into a fixed buffer and writes it to stderr with one write(2) a flush (more when it
// overflows), so that lines of several threads do not mix. Destroying flushes.
class Printer {
 public:
  Printer() = default;
  // Appends to out[0..cap) instead of writing to stderr; what does not fit is dropped.
  Printer(char* out, size_t cap) : sink_(out), cap_(cap) {}
  ~Printer() { Flush(); }
  Printer(const Printer&) = delete;
  Printer& operator=(const Printer&) = delete;

  Printer& Str(const char* s, size_t n);
  Printer& operator<<(const char* s);
  Printer& operator<<(char c) { return Str(&c, 1); }
  Printer& operator<<(bool b) { return *this << (b ? "true" : "false"); }
  Printer& operator<<(int v) { return *this << static_cast<long long>(v); }
  Printer& operator<<(unsigned v) { return *this << static_cast<unsigned long long>(v); }
  Printer& operator<<(long v) { return *this << static_cast<long long>(v); }
  Printer& operator<<(unsigned long v) { return *this << static_cast<unsigned long long>(v); }
  Printer& operator<<(long long v);
  Printer& operator<<(unsigned long long v);
  // 0x… in lower case.
  Printer& Hex(uint64_t v);
  Printer& operator<<(const void* p) { return Hex(reinterpret_cast<uintptr_t>(p)); }

  void Flush();
  size_t size() const { return total_; }  // bytes accepted so far

 private:
  char buf_[512];
  size_t n_ = 0;
  size_t total_ = 0;
  char* sink_ = nullptr;
  size_t cap_ = 0;
};

// Called by Throw and Fatal after the message and before the exit; prints tracebacks.
// `all`: every goroutine is wanted (Fatal), not only the current one. Set by runtime/boot.cc.
extern Hook<void(bool all)> fatal_report_hook;

// A broken invariant of the runtime. Go: throw (panic.go).
[[noreturn]] void Throw(const char* text);
// A fault of the program that must not be caught. Go: fatal (panic.go).
[[noreturn]] void Fatal(const char* text);
// The end of every fatal path: exits with status 2 without running handlers. If another thread
// is already dying, waits for it, so that only one report is printed. Go: dopanic_m, exit.
[[noreturn]] void ExitFatal();
// Takes the right to print the one fatal report; later callers on other threads never return.
// A second call by the same thread (a fault inside the report) exits at once with status 2.
void BeginFatal();

// Throws when cond is false; always on.
#define GORT_CHECK(cond)                                         \
  do {                                                           \
    if (!(cond)) [[unlikely]]                                    \
      ::gort::rt::Throw("check failed: " #cond " at " __FILE__); \
  } while (0)

// As GORT_CHECK, in debug builds only; the condition is always compiled.
#define GORT_DCHECK(cond)                               \
  do {                                                  \
    if constexpr (::gort::rt::kDebug) GORT_CHECK(cond); \
  } while (0)

}  // namespace gort::rt

#endif  // GORT_BASE_THROW_H_
