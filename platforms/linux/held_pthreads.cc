#include "platforms/held_pthreads.h"

#if GORT_DEBUG && !GORT_ASAN && !GORT_TSAN && defined(__x86_64__)

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>

namespace gort::rt {
namespace {

thread_local int t_held = 0;

using PthreadMutexFn = int (*)(pthread_mutex_t*);

// The C library's function of that name; found anew by every thread that comes too early.
PthreadMutexFn Next(std::atomic<PthreadMutexFn>* cache, const char* name) {
  PthreadMutexFn fn = cache->load(std::memory_order_relaxed);  // a constant once it is there
  if (fn == nullptr) {
    fn = reinterpret_cast<PthreadMutexFn>(dlsym(RTLD_NEXT, name));
    cache->store(fn, std::memory_order_relaxed);
  }
  return fn;
}

constinit std::atomic<PthreadMutexFn> next_lock{nullptr};
constinit std::atomic<PthreadMutexFn> next_trylock{nullptr};
constinit std::atomic<PthreadMutexFn> next_unlock{nullptr};

}  // namespace

GORT_NOINLINE int HeldPthreads() { return t_held; }

}  // namespace gort::rt

extern "C" {

int pthread_mutex_lock(pthread_mutex_t* mu) noexcept {
  const int err = gort::rt::Next(&gort::rt::next_lock, "pthread_mutex_lock")(mu);
  if (err == 0) ++gort::rt::t_held;
  return err;
}

int pthread_mutex_trylock(pthread_mutex_t* mu) noexcept {
  const int err = gort::rt::Next(&gort::rt::next_trylock, "pthread_mutex_trylock")(mu);
  if (err == 0) ++gort::rt::t_held;
  return err;
}

int pthread_mutex_unlock(pthread_mutex_t* mu) noexcept {
  const int err = gort::rt::Next(&gort::rt::next_unlock, "pthread_mutex_unlock")(mu);
  if (err == 0) --gort::rt::t_held;
  return err;
}

}  // extern "C"

#endif
