#include "gort/base/throw.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "gort/base/attributes.h"

namespace gort::rt {
namespace {

void IgnoreReport(bool) {}

// Thread id of whoever prints the fatal report; 0: nobody.
constinit std::atomic<int> dying_tid{0};

int Tid() { return static_cast<int>(syscall(SYS_gettid)); }

// Waits until a non-blocking stderr takes bytes again. False: nobody reads it.
bool WaitWritable() {
  pollfd p{STDERR_FILENO, POLLOUT, 0};
  constexpr int kMostSignals = 100;  // each begins the second anew
  int n = -1;
  for (int i = 0; n < 0 && i < kMostSignals; ++i) {
    n = poll(&p, 1, 1000);
    if (n < 0 && errno != EINTR) break;
  }
  return n == 1 && (p.revents & POLLOUT) != 0;
}

void WriteAll(const char* s, size_t n) {
  int saved = errno;
  while (n > 0) {
    ssize_t k = write(STDERR_FILENO, s, n);
    if (k < 0 && (errno == EINTR || (errno == EAGAIN && WaitWritable()))) continue;
    if (k <= 0) break;  // stderr is closed or full: nothing better can be done
    s += k;
    n -= static_cast<size_t>(k);
  }
  errno = saved;
}

// The death may come from a signal handler, which runs with every signal blocked; a fault in the
// report would then end the process without our handler's last word and with another status.
void UnblockFaults() {
  sigset_t faults;
  sigemptyset(&faults);
  for (int sig : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) sigaddset(&faults, sig);
  pthread_sigmask(SIG_UNBLOCK, &faults, nullptr);
}

constinit std::atomic<bool> crash{false};  // set once, early

// Returns where the signal does not end the process, as in the first process of a container.
void DieByAbort() {
  struct sigaction sa = {};
  sa.sa_handler = SIG_DFL;
  sigaction(SIGABRT, &sa, nullptr);
  sigset_t abort;
  sigemptyset(&abort);
  sigaddset(&abort, SIGABRT);
  pthread_sigmask(SIG_UNBLOCK, &abort, nullptr);
  syscall(SYS_tgkill, getpid(), Tid(), SIGABRT);
}

// Takes the right to report. False: this thread has it already and died again in its report.
// Another thread's later call does not return: the first one ends the process.
bool ClaimReport() {
  int self = Tid();
  int owner = 0;
  // relaxed: a token and no more; the report reads what its own thread wrote.
  if (dying_tid.compare_exchange_strong(owner, self, std::memory_order_relaxed)) {
    UnblockFaults();
    return true;
  }
  if (owner == self) return false;
  while (true) pause();
}

[[noreturn]] void Die(const char* text, bool all) {
  bool first = ClaimReport();
  Printer() << "fatal error: " << text << (first ? "\n" : " (while reporting the above)\n");
  if (first) fatal_report_hook(all);
  ExitFatal();
}

}  // namespace

constinit Hook<void(bool)> fatal_report_hook{&IgnoreReport};
constinit Hook<void()> fatal_exit_hook{[] {}};

Printer& Printer::Str(const char* s, size_t n) {
  if (sink_ != nullptr) {
    size_t room = cap_ - total_;
    if (n > room) n = room;
    memcpy(sink_ + total_, s, n);
    total_ += n;
    return *this;
  }
  total_ += n;
  while (n > 0) {
    size_t k = sizeof buf_ - n_;
    if (k > n) k = n;
    memcpy(buf_ + n_, s, k);
    n_ += k;
    s += k;
    n -= k;
    if (n_ == sizeof buf_) Flush();
  }
  return *this;
}

Printer& Printer::operator<<(const char* s) {
  if (s == nullptr) s = "(null)";
  return Str(s, strlen(s));
}

Printer& Printer::operator<<(long long v) {
  if (v >= 0) return *this << static_cast<unsigned long long>(v);
  return *this << '-' << (~static_cast<unsigned long long>(v) + 1);
}

Printer& Printer::operator<<(unsigned long long v) {
  char digits[20];
  int i = sizeof digits;
  do {
    digits[--i] = static_cast<char>('0' + v % 10);
    v /= 10;
  } while (v != 0);
  return Str(digits + i, sizeof digits - static_cast<size_t>(i));
}

Printer& Printer::Hex(uint64_t v) {
  char digits[18];
  int i = sizeof digits;
  do {
    digits[--i] = "0123456789abcdef"[v & 15];
    v >>= 4;
  } while (v != 0);
  digits[--i] = 'x';
  digits[--i] = '0';
  return Str(digits + i, sizeof digits - static_cast<size_t>(i));
}

void Printer::Flush() {
  if (sink_ == nullptr && n_ > 0) WriteAll(buf_, n_);
  n_ = 0;
}

void BeginFatal() {
  if (!ClaimReport()) ExitFatal();
}

void CrashOnFatal() { crash.store(true, std::memory_order_relaxed); }

void ExitFatal() {
  static constinit std::atomic<bool> called{false};
  if (!called.exchange(true)) fatal_exit_hook();
  if (crash.load(std::memory_order_relaxed)) DieByAbort();
  while (true) syscall(SYS_exit_group, 2);
}

GORT_COLD void Throw(const char* text) { Die(text, false); }
GORT_COLD void Fatal(const char* text) { Die(text, true); }

}  // namespace gort::rt
