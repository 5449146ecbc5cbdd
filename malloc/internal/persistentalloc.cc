#include "gort/malloc/internal/persistentalloc.h"

#include <atomic>

#include "absl/base/thread_annotations.h"
#include "gort/base/bits.h"
#include "gort/base/throw.h"
#include "gort/lock/mutex.h"
#include "gort/platforms/mem.h"

namespace gort::rt {
namespace {

constinit Mutex persistent_lock{LockRank::kPersistent};
constinit uintptr_t chunk_next ABSL_GUARDED_BY(persistent_lock) = 0;
constinit uintptr_t chunk_end ABSL_GUARDED_BY(persistent_lock) = 0;
constinit std::atomic<uint64_t> handed_out{0};

uintptr_t MapOrDie(size_t bytes) {
  void* p = MemMap(bytes, PageSize());
  if (p == nullptr) Throw("out of memory (persistentalloc)");
  return reinterpret_cast<uintptr_t>(p);
}

}  // namespace

void* PersistentAlloc(size_t bytes, size_t align) {
  if (align == 0) align = alignof(void*);
  if (!IsPowerOfTwo(align) || align > PageSize()) Throw("persistentalloc: bad alignment");
  if (bytes == 0 || bytes > SIZE_MAX / 2) Throw("persistentalloc: bad size");

  if (bytes >= kPersistentChunk / 4) {
    size_t rounded = AlignUp(bytes, PageSize());
    handed_out.fetch_add(rounded, std::memory_order_relaxed);  // a statistic: orders nothing
    return reinterpret_cast<void*>(MapOrDie(rounded));
  }

  LockGuard guard(&persistent_lock);
  uintptr_t p = AlignUp(chunk_next, align);
  if (chunk_next == 0 || p + bytes > chunk_end) {
    // What is left of the old chunk is lost: under a quarter of it, by the branch above.
    const size_t chunk = AlignUp(kPersistentChunk, PageSize());
    p = MapOrDie(chunk);
    chunk_next = p;
    chunk_end = p + chunk;
  }
  handed_out.fetch_add(p + bytes - chunk_next, std::memory_order_relaxed);  // a statistic
  chunk_next = p + bytes;
  return reinterpret_cast<void*>(p);
}

uint64_t PersistentAllocated() { return handed_out.load(std::memory_order_relaxed); }

void PersistentForkLock() ABSL_NO_THREAD_SAFETY_ANALYSIS { persistent_lock.LockForFork(); }
void PersistentForkUnlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { persistent_lock.UnlockAfterFork(); }

}  // namespace gort::rt
