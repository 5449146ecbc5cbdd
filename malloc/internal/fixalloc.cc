#include "gort/malloc/internal/fixalloc.h"

#include <cstring>

#include "gort/base/attributes.h"
#include "gort/base/throw.h"
#include "gort/malloc/internal/persistentalloc.h"
#include "gort/platforms/mem.h"

namespace gort::rt {

// What is left of the old chunk goes onto the list, so that Reserve may refill early.
bool FixAlloc::Refill() {
  const size_t bytes = size_ > kFixAllocChunk ? size_ : kFixAllocChunk;
  auto* fresh = static_cast<char*>(TryPersistentAlloc(bytes, align_));
  if (fresh == nullptr) return false;
  for (; chunk_bytes_ >= size_; chunk_ += size_, chunk_bytes_ -= size_) {
    Link* link = reinterpret_cast<Link*>(chunk_);
    link->next = list_;
    list_ = link;
    ++listed_;
  }
  chunk_ = fresh;
  chunk_bytes_ = bytes;
  return true;
}

void* FixAlloc::TryAlloc() {
  if (list_ != nullptr) {
    Link* link = list_;
    list_ = link->next;
    --listed_;
    inuse_ += size_;
    if (zero_) memset(static_cast<void*>(link), 0, size_);
    return link;
  }
  if (chunk_bytes_ < size_ && !Refill()) return nullptr;
  void* p = chunk_;
  chunk_ += size_;
  chunk_bytes_ -= size_;
  inuse_ += size_;
  return p;
}

void* FixAlloc::Alloc() {
  void* p = TryAlloc();
  if (p == nullptr) MemExhausted("the runtime's records", size_);
  return p;
}

void FixAlloc::Free(void* p) {
  if constexpr (kDebug) {
    if (p == list_) Throw("fixalloc: double free");
    memset(p, kFixFreedByte, size_);
  }
  inuse_ -= size_;
  Link* link = static_cast<Link*>(p);
  link->next = list_;
  list_ = link;
  ++listed_;
}

}  // namespace gort::rt
