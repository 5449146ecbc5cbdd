#include "gort/malloc/internal/fixalloc.h"

#include <cstring>

#include "gort/base/attributes.h"
#include "gort/base/throw.h"
#include "gort/malloc/internal/persistentalloc.h"

namespace gort::rt {

void* FixAlloc::Alloc() {
  inuse_ += size_;
  if (list_ != nullptr) {
    Link* link = list_;
    list_ = link->next;
    if (zero_) memset(static_cast<void*>(link), 0, size_);
    return link;
  }
  if (chunk_bytes_ < size_) {
    chunk_bytes_ = size_ > kFixAllocChunk ? size_ : kFixAllocChunk;
    chunk_ = static_cast<char*>(PersistentAlloc(chunk_bytes_, align_));
    total_ += chunk_bytes_;
  }
  void* p = chunk_;
  chunk_ += size_;
  chunk_bytes_ -= size_;
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
}

}  // namespace gort::rt
