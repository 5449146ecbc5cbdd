#include "gort/malloc/internal/current_mcache.h"

#include <pthread.h>

#include "absl/base/thread_annotations.h"
#include "gort/base/throw.h"
#include "gort/lock/mutex.h"
#include "gort/malloc/internal/size_classes.h"

namespace gort::rt {

constinit thread_local MCache* t_mcache = nullptr;

namespace {

// The cache that this thread got for itself; null: none. This thread only.
constinit thread_local MCache* t_own = nullptr;
// Set by the key's destructor: from here on the thread uses shared_mcache. This thread only.
constinit thread_local bool t_ending = false;

constinit Mutex attach_lock;  // not ranked: first use happens under any lock of the program
constinit bool key_made ABSL_GUARDED_BY(attach_lock) = false;
constinit pthread_key_t exit_key ABSL_GUARDED_BY(attach_lock) = 0;
constinit bool mcache0_taken ABSL_GUARDED_BY(attach_lock) = false;

void ThreadEnds(void* arg) {
  MCache* own = static_cast<MCache*>(arg);
  if (t_own != own) return;  // MallocInit took it away
  t_own = nullptr;
  t_ending = true;
  if (t_mcache == own) t_mcache = nullptr;
  if (own != &mcache0) {
    FreeMCache(own);
    return;
  }
  own->Flush();
  LockGuard guard(&attach_lock);
  mcache0_taken = false;
}

void CheckTables() {
  for (int c = 1; c < kNumSpanClasses; ++c) {
    const SizeClass& k = kSizeClasses[c];
    GORT_CHECK(size_t{k.objects} * k.size <= k.pages * kHeapPageSize);
    GORT_CHECK(c == kTinySpanClass || SizeToClass(k.size) == c);
  }
  GORT_CHECK(kSizeClasses[kTinySpanClass].size == kTinyBlockBytes);
  GORT_CHECK(kSizeClasses[SizeToClass(kMaxSmallSize)].size == kMaxSmallSize);
}

}  // namespace

GORT_NOINLINE MCache* AttachThreadMCache() {
  if (t_mcache != nullptr) return t_mcache;
  if (t_ending) return nullptr;
  MCache* own = t_own;
  if (own != nullptr) return t_mcache = own;

  pthread_key_t key;
  {
    LockGuard guard(&attach_lock);
    if (!key_made) {
      if (pthread_key_create(&exit_key, &ThreadEnds) != 0) Throw("malloc: no thread key left");
      key_made = true;
    }
    key = exit_key;
    if (!mcache0_taken) {
      mcache0_taken = true;
      own = &mcache0;
    }
  }
  if (own == nullptr) own = TryAllocMCache();
  if (own == nullptr) return nullptr;
  t_own = t_mcache = own;
  // Fails only for want of memory; then the cache stays behind when the thread ends.
  (void)pthread_setspecific(key, own);
  return own;
}

MCache* MallocInit() {
  CheckTables();
  MCache* c;
  if (t_own != nullptr) {
    c = t_own;  // it has been used since before main: P 0 takes it over with all that it holds
    t_own = nullptr;
    LockGuard guard(&attach_lock);
    (void)pthread_setspecific(exit_key, nullptr);  // no allocation: the slot exists
  } else {
    bool first;
    {
      LockGuard guard(&attach_lock);
      first = !mcache0_taken;
      mcache0_taken = true;
    }
    c = first ? &mcache0 : AllocMCache();
  }
  t_mcache = c;
  return c;
}

MCache* SetThreadMCache(MCache* c) {
  MCache* old = t_mcache;
  t_mcache = c != nullptr ? c : t_own;
  return old == t_own ? nullptr : old;
}

MCacheRef::MCacheRef() ABSL_NO_THREAD_SAFETY_ANALYSIS : c_(AttachThreadMCache()) {
  if (c_ != nullptr) return;
  shared_ = true;
  attach_lock.Lock();
  c_ = &shared_mcache;
}

MCacheRef::~MCacheRef() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (shared_) attach_lock.Unlock();
}

void CurrentMCacheForkLock() ABSL_NO_THREAD_SAFETY_ANALYSIS { attach_lock.LockForFork(); }
void CurrentMCacheForkUnlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { attach_lock.UnlockAfterFork(); }

}  // namespace gort::rt
