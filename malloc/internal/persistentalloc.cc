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

void Check(size_t bytes, size_t align) {
  if (!IsPowerOfTwo(align) || align > PageSize()) Throw("persistentalloc: bad alignment");
  if (bytes == 0 || bytes > SIZE_MAX / 2) Throw("persistentalloc: bad size");
}

void* MapAlone(size_t bytes) {
  const size_t rounded = AlignUp(bytes, PageSize());
  void* p = MemMap(rounded, PageSize());
  if (p != nullptr) handed_out.fetch_add(rounded, std::memory_order_relaxed);  // a statistic
  return p;
}

// What is left of the old chunk is lost: under a quarter of it, because larger requests go to MapAlone.
bool NewChunk() ABSL_EXCLUSIVE_LOCKS_REQUIRED(persistent_lock) {
  const size_t bytes = AlignUp(kPersistentChunk, PageSize());
  const uintptr_t p = reinterpret_cast<uintptr_t>(MemMap(bytes, PageSize()));
  if (p == 0) return false;
  chunk_next = p;
  chunk_end = p + bytes;
  return true;
}

}  // namespace

void* TryPersistentAlloc(size_t bytes, size_t align) {
  if (align == 0) align = alignof(void*);
  Check(bytes, align);
  if (bytes >= kPersistentChunk / 4) return MapAlone(bytes);

  LockGuard guard(&persistent_lock);
  uintptr_t p = AlignUp(chunk_next, align);
  if (chunk_next == 0 || p + bytes > chunk_end) {
    // A small mapping of its own may still be had where a chunk is not.
    if (!NewChunk()) return MapAlone(bytes);
    p = chunk_next;
  }
  handed_out.fetch_add(p + bytes - chunk_next, std::memory_order_relaxed);  // a statistic
  chunk_next = p + bytes;
  return reinterpret_cast<void*>(p);
}

void* PersistentAlloc(size_t bytes, size_t align) {
  void* p = TryPersistentAlloc(bytes, align);
  if (p == nullptr) MemExhausted("the runtime's records", bytes);
  return p;
}

uint64_t PersistentAllocated() { return handed_out.load(std::memory_order_relaxed); }

void PersistentForkLock() ABSL_NO_THREAD_SAFETY_ANALYSIS { persistent_lock.LockForFork(); }
void PersistentForkUnlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { persistent_lock.UnlockAfterFork(); }

}  // namespace gort::rt
