// malloc/internal/current_mcache.h: which cache the calling thread uses.
// What      t_mcache is the cache of this thread right now. The scheduler sets it to the P's cache
//           when the M acquires a P and clears it when the M lets go; a thread without one gets a
//           cache of its own on first use, which is flushed and recycled when the thread ends.
// Layer     4.                                       Go: getg().m.mcache, mcache0, mallocinit
// Contract  | call             | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | MallocInit       |   -    | x  |  x   |    -    |    -    |   -   | from OS   |
//           | SetThreadMCache  |   x    | x  |  x   |    -    |    -    |   -   |     -     |
//           | MCacheRef        |   x    | x  |  x   |    -    |    x    |   -   | from OS   |
// Switches  goroutines move between threads, so t_mcache must not live in a register across a
//           switch. It never does: it is read inside out-of-line functions of malloc, which are
//           pinned (platforms/pins.h), and used before they return.
// Life of a thread's own cache
//           first use   AllocMCache (the very first: mcache0), t_mcache is set, and only then is
//                       pthread_setspecific called: it may allocate, and finds the cache in place.
//           thread end  the key's destructor flushes it. C++ thread_local destructors have run by
//                       then; destructors of other keys and the C library's own clean-up may follow
//                       and allocate or free: they use one shared cache under a lock (MCacheRef).
//           no memory   for a cache: the thread uses the shared one as well, until it gets its own.
#ifndef GORT_MALLOC_INTERNAL_CURRENT_MCACHE_H_
#define GORT_MALLOC_INTERNAL_CURRENT_MCACHE_H_

#include "gort/base/attributes.h"
#include "gort/malloc/internal/mcache.h"

namespace gort::rt {

// This thread's cache; null: none yet. Initial-exec: one load, and no allocation by the dynamic
// linker behind our back. Written by this thread only.
extern constinit thread_local MCache* t_mcache;

// Checks the size tables and returns the cache for P 0, which the calling thread keeps using until
// SetThreadMCache says otherwise: mcache0 unless another thread took it before. Once, from
// schedinit; malloc works without it too. Go: mallocinit (malloc.go).
MCache* MallocInit();

// Lets this thread use c, which no other thread may be using; null: none, and the thread falls back
// on its own. Returns what was set before, null if it was the thread's own or none. A few
// instructions; takes no lock.
MCache* SetThreadMCache(MCache* c);

// As SetThreadMCache(nullptr) for another thread, which uses no cache meanwhile and is pinned before
// it does so again (platforms/pins.h). slot: &t_mcache of that thread.
inline void ClearMCacheOf(MCache** slot) { *slot = nullptr; }

// t_mcache, or the thread's own, made on the spot. Null: the thread is ending or there is no memory,
// see MCacheRef.
MCache* AttachThreadMCache();

// A cache for one operation, when t_mcache is null.
class MCacheRef {
 public:
  MCacheRef();
  ~MCacheRef();
  MCacheRef(const MCacheRef&) = delete;
  MCacheRef& operator=(const MCacheRef&) = delete;

  MCache* operator->() const { return c_; }
  MCache& operator*() const { return *c_; }

 private:
  MCache* c_;
  bool shared_ = false;
};

// fork(2): see persistentalloc.h.
void CurrentMCacheForkLock();
void CurrentMCacheForkUnlock();

}  // namespace gort::rt

#endif  // GORT_MALLOC_INTERNAL_CURRENT_MCACHE_H_
