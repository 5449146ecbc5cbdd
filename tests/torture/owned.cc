// tests/torture/owned.cc: locks that know their thread, and variables of the thread.
#include <pthread.h>
#include <sched.h>

#include <array>
#include <atomic>
#include <mutex>
#include <shared_mutex>

#include "gort/tests/torture/torture.h"

namespace torture {
namespace {

// Two inside at once, or one that does not see what the one before wrote, disagree with it.
struct Court {
  int64_t entered[2] = {};

  void Visit(Worker* w, const char* what) {
    if (entered[0] != entered[1]) Fail("owned_locks", what);
    ++entered[0];
    sink.store(Burn(w->rand.N(3000)), std::memory_order_relaxed);
    ++entered[1];
  }
};

class ErrorCheckMutex {
 public:
  ErrorCheckMutex() {
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&mutex_, &kind);
    pthread_mutexattr_destroy(&kind);
  }
  void lock() { Expect(pthread_mutex_lock(&mutex_)); }
  void unlock() { Expect(pthread_mutex_unlock(&mutex_)); }

 private:
  static void Expect(int status) {
    if (status != 0) Fail("owned_locks", "an error-checking mutex");
  }

  pthread_mutex_t mutex_;
};

template <class Mutex>
void Lock(Worker* w, const char* what) {
  static Mutex mutex;
  static Court court;
  std::lock_guard outer(mutex);
  court.Visit(w, what);
}

void LockTwice(Worker* w) {
  static std::recursive_mutex mutex;
  static Court court;
  std::lock_guard outer(mutex);
  court.Visit(w, "recursive_mutex");
  std::lock_guard inner(mutex);
  court.Visit(w, "recursive_mutex, inner");
}

void LockShared(Worker* w) {
  static std::shared_mutex mutex;
  static Court court;
  if (w->rand.N(4) == 0) {
    std::lock_guard writer(mutex);
    court.Visit(w, "shared_mutex");
    return;
  }
  std::shared_lock reader(mutex);
  const int64_t seen = court.entered[0];
  sink.store(Burn(w->rand.N(3000)), std::memory_order_relaxed);
  if (court.entered[1] != seen) Fail("owned_locks", "a writer beside a reader");
}

thread_local int depth = 0;

struct Scope {
  int before = depth++;
  ~Scope() {
    if (--depth != before) Fail("thread_locals", "scopes that count");
  }
};

// Each half is written at another time; nobody else may see it half done.
struct Slow {
  uint64_t first = Burn(500);
  uint64_t second = (sink.store(Burn(5000), std::memory_order_relaxed), Burn(500));
};

// Returns a buffer of the thread, as strerror does.
const std::array<uint64_t, 64>& Filled(uint64_t with) {
  thread_local std::array<uint64_t, 64> buffer;
  for (uint64_t& word : buffer) word = with + Burn(5) * 0;
  return buffer;
}

class TicketLock {
 public:
  void lock() {
    const uint64_t mine = next_.fetch_add(1, std::memory_order_relaxed);
    while (now_.load(std::memory_order_acquire) != mine) sched_yield();
  }
  void unlock() { now_.fetch_add(1, std::memory_order_release); }

 private:
  std::atomic<uint64_t> next_{0}, now_{0};
};

}  // namespace

void OwnedLocks(Worker* w) {
  for (int i = 0; i < 10; ++i) {
    Lock<ErrorCheckMutex>(w, "an error-checking mutex");
    Lock<std::timed_mutex>(w, "timed_mutex");
    LockTwice(w);
    LockShared(w);
  }
}

void ThreadLocals(Worker* w) {
  for (int i = 0; i < 20; ++i) {
    Scope outer;
    sink.store(Burn(w->rand.N(3000)), std::memory_order_relaxed);
    Scope inner;
    if (depth != outer.before + 2) Fail("thread_locals", "another goroutine's scope");
    thread_local const Slow slow;
    if (slow.first != slow.second) Fail("thread_locals", "an object half constructed");
    const uint64_t mark = w->rand.Next();
    for (uint64_t word : Filled(mark)) {
      if (word != mark) Fail("thread_locals", "another goroutine's buffer");
    }
  }
}

void Yielding(Worker* w) {
  static TicketLock lock;
  static Court court;
  for (int i = 0; i < 20; ++i) {
    std::lock_guard l(lock);
    court.Visit(w, "a lock that yields");
  }
}

}  // namespace torture
