#include "gort/platforms/held_pthreads.h"

#if GORT_DEBUG && !GORT_ASAN && !GORT_TSAN && GORT_ARCH_COUNTS_PTHREADS

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>

namespace gort::rt {
namespace {

thread_local int t_held = 0;

using LockFn = int(pthread_mutex_t*);
using TimedLockFn = int(pthread_mutex_t*, const timespec*);
using ClockLockFn = int(pthread_mutex_t*, clockid_t, const timespec*);

// The C library's function of that name; found anew by every thread that comes too early.
template <class F>
F* Next(std::atomic<F*>* cache, const char* name) {
  F* fn = cache->load(std::memory_order_relaxed);  // a constant once it is there
  if (fn == nullptr) {
    fn = reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
    cache->store(fn, std::memory_order_relaxed);
  }
  return fn;
}

constinit std::atomic<LockFn*> next_lock{nullptr};
constinit std::atomic<LockFn*> next_trylock{nullptr};
constinit std::atomic<LockFn*> next_unlock{nullptr};
constinit std::atomic<TimedLockFn*> next_timedlock{nullptr};
constinit std::atomic<ClockLockFn*> next_clocklock{nullptr};

// A robust mutex whose owner died is held all the same.
int CountIfLocked(int err) {
  if (err == 0 || err == EOWNERDEAD) ++t_held;
  return err;
}

}  // namespace

GORT_NOINLINE int HeldPthreads() { return t_held; }

}  // namespace gort::rt

extern "C" {

int pthread_mutex_lock(pthread_mutex_t* mu) noexcept {
  return gort::rt::CountIfLocked(gort::rt::Next(&gort::rt::next_lock, "pthread_mutex_lock")(mu));
}

int pthread_mutex_trylock(pthread_mutex_t* mu) noexcept {
  return gort::rt::CountIfLocked(
      gort::rt::Next(&gort::rt::next_trylock, "pthread_mutex_trylock")(mu));
}

int pthread_mutex_timedlock(pthread_mutex_t* mu, const timespec* until) noexcept {
  return gort::rt::CountIfLocked(
      gort::rt::Next(&gort::rt::next_timedlock, "pthread_mutex_timedlock")(mu, until));
}

int pthread_mutex_clocklock(pthread_mutex_t* mu, clockid_t clock, const timespec* until) noexcept {
  return gort::rt::CountIfLocked(
      gort::rt::Next(&gort::rt::next_clocklock, "pthread_mutex_clocklock")(mu, clock, until));
}

int pthread_mutex_unlock(pthread_mutex_t* mu) noexcept {
  const int err = gort::rt::Next(&gort::rt::next_unlock, "pthread_mutex_unlock")(mu);
  if (err == 0) --gort::rt::t_held;
  return err;
}

}  // extern "C"

#endif
