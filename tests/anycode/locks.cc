// tests/anycode/locks.cc: mutexes, most of which know the thread that holds them.
#include <pthread.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"

// libgomp's, declared here because clang has no omp.h of gcc's. The lock is smaller than this.
struct NestLock {
  alignas(16) unsigned char bytes[64];
};
extern "C" {
void omp_init_nest_lock(NestLock*);
void omp_set_nest_lock(NestLock*);
void omp_unset_nest_lock(NestLock*);
}

namespace anycode {
namespace {

using std::chrono::seconds;

// How long an owner keeps its lock, in microseconds.
constexpr int kHeld = 20;

// Workers enter one after the other; `enter(mutex, visit)` calls visit with the mutex held.
template <class M, class Enter>
Task Exclusive(Enter enter) {
  struct Shared {
    M mutex;
    Guarded guarded;
  };
  auto s = std::make_shared<Shared>();
  return {[s, enter](Worker& w) {
            while (w.Next()) {
              enter(s->mutex, [&s] { s->guarded.Visit(kHeld); });
            }
          },
          [s](int64_t ops) { ExpectEq(ops, s->guarded.entered(), "visits"); }};
}

Task StdMutex(int) {
  return Exclusive<std::mutex>([](auto& m, auto visit) {
    std::lock_guard lock(m);
    visit();
  });
}

// Three times by one owner, with work between.
template <class M, class Visit>
void LockThrice(M& m, Visit visit) {
  std::lock_guard first(m);
  Burn(5);
  {
    std::lock_guard second(m);
    std::lock_guard third(m);
    visit();
  }
  Burn(5);
}

Task RecursiveMutex(int) {
  return Exclusive<std::recursive_mutex>([](auto& m, auto visit) { LockThrice(m, visit); });
}

Task TimedMutex(int) {
  return Exclusive<std::timed_mutex>([](auto& m, auto visit) {
    std::unique_lock lock(m, seconds(100));
    Expect(lock.owns_lock(), "timed_mutex: time is up");
    visit();
  });
}

Task RecursiveTimedMutex(int) {
  return Exclusive<std::recursive_timed_mutex>([](auto& m, auto visit) {
    std::unique_lock first(m, seconds(100));
    std::unique_lock second(m, seconds(100));
    Expect(first.owns_lock() && second.owns_lock(), "recursive_timed_mutex: time is up");
    visit();
  });
}

// Shared by three in four, exclusive to the fourth, which leaves two values unequal meanwhile.
template <class M, class Share, class Own>
Task SharedBy(Share share, Own own) {
  struct Shared {
    M mutex;
    Guarded guarded;
    volatile int64_t first = 0;
    volatile int64_t second = 0;
  };
  auto s = std::make_shared<Shared>();
  return {[=](Worker& w) {
            for (int64_t i = w.index(); w.Next(); ++i) {
              if (i % 4 != 0) {
                auto lock = share(s->mutex);
                const int64_t seen = s->first;
                Burn(kHeld);
                Expect(seen == s->first && seen == s->second, "a reader saw a writer at work");
              } else {
                auto lock = own(s->mutex);
                s->first = s->first + 1;
                s->guarded.Visit(kHeld);
                s->second = s->second + 1;
              }
            }
          },
          [s](int64_t) { ExpectEq(s->guarded.entered(), s->second, "writes"); }};
}

Task SharedMutex(int) {
  return SharedBy<std::shared_mutex>([](auto& m) { return std::shared_lock(m); },
                                     [](auto& m) { return std::unique_lock(m); });
}

Task SharedTimedMutex(int) {
  return SharedBy<std::shared_timed_mutex>(
      [](auto& m) {
        std::shared_lock lock(m, seconds(100));
        Expect(lock.owns_lock(), "shared_timed_mutex: time is up");
        return lock;
      },
      [](auto& m) {
        std::unique_lock lock(m, seconds(100));
        Expect(lock.owns_lock(), "shared_timed_mutex: time is up");
        return lock;
      });
}

// Of any type and protocol; each result is checked.
template <int kType, int kProtocol>
class PthreadMutex {
 public:
  PthreadMutex() {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, kType);
    pthread_mutexattr_setprotocol(&attributes, kProtocol);
    ExpectEq(0, pthread_mutex_init(&mutex_, &attributes), "pthread_mutex_init");
    pthread_mutexattr_destroy(&attributes);
  }
  ~PthreadMutex() { ExpectEq(0, pthread_mutex_destroy(&mutex_), "pthread_mutex_destroy"); }
  void lock() { ExpectEq(0, pthread_mutex_lock(&mutex_), "pthread_mutex_lock"); }
  void unlock() { ExpectEq(0, pthread_mutex_unlock(&mutex_), "pthread_mutex_unlock"); }

 private:
  pthread_mutex_t mutex_;
};

template <int kType, int kProtocol>
Task Pthread(int) {
  return Exclusive<PthreadMutex<kType, kProtocol>>([](auto& m, auto visit) {
    if (kType == PTHREAD_MUTEX_RECURSIVE) return LockThrice(m, visit);
    std::lock_guard lock(m);
    visit();
  });
}

struct OmpNestLock {
  OmpNestLock() { omp_init_nest_lock(&nest); }
  void lock() { omp_set_nest_lock(&nest); }
  void unlock() { omp_unset_nest_lock(&nest); }
  NestLock nest;
};

Task OmpNest(int) {
  return Exclusive<OmpNestLock>([](auto& m, auto visit) { LockThrice(m, visit); });
}

}  // namespace

Family Locks() {
  return {"locks",
          {{"mutex", StdMutex},
           {"recursive_mutex", RecursiveMutex},
           {"timed_mutex", TimedMutex},
           {"recursive_timed_mutex", RecursiveTimedMutex},
           {"shared_mutex", SharedMutex},
           {"shared_timed_mutex", SharedTimedMutex},
           {"pthread_errorcheck", Pthread<PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PRIO_NONE>},
           {"pthread_inherit", Pthread<PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT>},
           {"pthread_recursive_inherit", Pthread<PTHREAD_MUTEX_RECURSIVE, PTHREAD_PRIO_INHERIT>},
           {"omp_nest_lock", OmpNest}}};
}

}  // namespace anycode
