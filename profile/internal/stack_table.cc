#include "gort/profile/internal/stack_table.h"

#include <cstring>
#include <new>

#include "gort/base/attributes.h"
#include "gort/platforms/mem.h"

#if GORT_ASAN
#include <sanitizer/lsan_interface.h>
#endif

namespace gort::rt {
namespace {

// Tells LeakSanitizer of memory of the table, because nothing else may refer to a set of labels.
void LeakCheckKnows([[maybe_unused]] const void* map, [[maybe_unused]] size_t bytes,
                    [[maybe_unused]] bool mapped) {
#if GORT_ASAN
  (mapped ? __lsan_register_root_region : __lsan_unregister_root_region)(map, bytes);
#endif
}

uint64_t HashOf(const uintptr_t* pcs, int n, const LabelSet* labels) {
  uint64_t h = reinterpret_cast<uintptr_t>(labels);
  for (int i = 0; i < n; ++i) {
    h = (h ^ pcs[i]) * 0x9e3779b97f4a7c15;
    h ^= h >> 29;
  }
  return h;
}

}  // namespace

bool StackTable::MoreRoom(size_t bytes) {
  if (total_ + kChunkBytes > kMaxBytes || bytes > kChunkBytes - sizeof(Chunk)) return false;
  void* room = MemMap(kChunkBytes, PageSize());
  if (room == nullptr) return false;
  LeakCheckKnows(room, kChunkBytes, true);
  chunks_ = new (room) Chunk{chunks_, kChunkBytes};
  used_ = sizeof(Chunk);
  total_ += kChunkBytes;
  return true;
}

void* StackTable::Alloc(size_t bytes) {
  if ((chunks_ == nullptr || bytes > chunks_->bytes - used_) && !MoreRoom(bytes)) return nullptr;
  void* at = reinterpret_cast<char*>(chunks_) + used_;
  used_ += bytes;
  return at;
}

StackSums* StackTable::Make(const uintptr_t* pcs, int n, LabelSet* labels, uint64_t hash) {
  void* room = Alloc(sizeof(StackSums) + static_cast<size_t>(n) * sizeof *pcs);
  if (room == nullptr) return nullptr;
  auto* s = new (room) StackSums;
  s->hash = hash;
  s->n = n;
  memcpy(s->pcs(), pcs, static_cast<size_t>(n) * sizeof *pcs);
  s->labels = labels;
  KeepLabels(labels);
  s->older = newest_.load(std::memory_order_relaxed);
  newest_.store(s, std::memory_order_release);  // pairs with: ForEach
  return s;
}

StackSums* StackTable::Find(const uintptr_t* pcs, int n, LabelSet* labels) {
  StackSums* s = HasBuckets() ? FindOrMake(pcs, n, labels) : nullptr;
  if (s == nullptr) Lost();
  return s;
}

bool StackTable::HasBuckets() {
  if (buckets_ == nullptr) {
    buckets_ = static_cast<StackSums**>(MemMap(kBuckets * sizeof *buckets_, PageSize()));
  }
  return buckets_ != nullptr;
}

StackSums* StackTable::FindOrMake(const uintptr_t* pcs, int n, LabelSet* labels) {
  const uint64_t hash = HashOf(pcs, n, labels);
  StackSums** bucket = &buckets_[(hash >> 40) % kBuckets];
  for (StackSums* s = *bucket; s != nullptr; s = s->same_hash) {
    if (s->hash == hash && s->n == n && s->labels == labels &&
        memcmp(s->pcs(), pcs, static_cast<size_t>(n) * sizeof *pcs) == 0) {
      return s;
    }
  }
  if (labels != nullptr && total_ > kMaxLabelled) return FindOrMake(pcs, n, nullptr);
  StackSums* s = Make(pcs, n, labels, hash);
  if (s == nullptr) return nullptr;
  s->same_hash = *bucket;
  *bucket = s;
  return s;
}

void StackTable::Clear() {
  ForEach([](const StackSums& s) { DropLabels(s.labels); });
  if (buckets_ != nullptr) MemUnmap(buckets_, kBuckets * sizeof *buckets_);
  while (Chunk* c = chunks_) {
    chunks_ = c->next;
    LeakCheckKnows(c, c->bytes, false);
    MemUnmap(c, c->bytes);
  }
  buckets_ = nullptr;
  newest_.store(nullptr, std::memory_order_relaxed);
  used_ = total_ = 0;
  lost_.store(0, std::memory_order_relaxed);
}

}  // namespace gort::rt
