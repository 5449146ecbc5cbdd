#include "gort/malloc/internal/mcentral.h"

#include <cstring>

#include "gort/malloc/internal/mheap.h"

namespace gort::rt {

constinit MCentral mcentrals[kNumSpanClasses];

void FillFreed(FreeObject* o, size_t bytes) {
  memset(static_cast<void*>(o + 1), kFreedByte, bytes - sizeof *o);
}

// Moves up to n objects of s to the front of *list.
size_t MCentral::TakeFrom(MSpan* s, size_t n, FreeObject** list) {
  size_t got = 0;
  while (got < n && s->free_list != nullptr) {
    FreeObject* o = s->free_list;
    s->free_list = o->next;
    o->next = *list;
    *list = o;
    ++got;
  }
  while (got < n && s->n_fresh < s->n_elems) {
    auto* o = reinterpret_cast<FreeObject*>(s->base + size_t{s->n_fresh} * s->elem_bytes);
    if constexpr (kDebug) FillFreed(o, s->elem_bytes);
    ++s->n_fresh;
    o->next = *list;
    *list = o;
    ++got;
  }
  s->n_out = static_cast<uint16_t>(s->n_out + got);
  if (s->free_list == nullptr && s->n_fresh == s->n_elems) nonempty_.Remove(s);
  return got;
}

FreeObject* MCentral::Fetch(int span_class, size_t n, size_t* got) {
  FreeObject* list = nullptr;
  *got = 0;
  LockGuard guard(&lock_);
  while (*got < n) {
    MSpan* s = nonempty_.front();
    if (s == nullptr) {
      if (*got > 0) break;  // fewer than n will do: the heap does not grow for the rest
      s = mheap.AllocSpan(kSizeClasses[span_class].pages, 1, span_class);
      if (s == nullptr) break;
      nonempty_.PushFront(s);
    }
    *got += TakeFrom(s, n - *got, &list);
  }
  out_.store(objects_out() + *got, std::memory_order_relaxed);
  return list;
}

void MCentral::ReturnOne(FreeObject* o, List<MSpan>* idle) {
  MSpan* s = page_map.Get(reinterpret_cast<uintptr_t>(o));
  if (s == nullptr || !s->in_use() || &mcentrals[s->span_class] != this || s->n_out == 0) {
    MallocFatal("corrupted free list", o);
  }
  const bool was_full = s->free_list == nullptr && s->n_fresh == s->n_elems;
  o->next = s->free_list;
  s->free_list = o;
  --s->n_out;
  if (s->n_out == 0) {
    if (!was_full) nonempty_.Remove(s);
    idle->PushFront(s);
  } else if (was_full) {
    nonempty_.PushFront(s);
  }
}

void MCentral::Return(FreeObject* list) {
  List<MSpan> idle;
  {
    LockGuard guard(&lock_);
    uint64_t n = 0;
    while (list != nullptr) {
      FreeObject* next = list->next;
      ReturnOne(list, &idle);
      list = next;
      ++n;
    }
    out_.store(objects_out() - n, std::memory_order_relaxed);
  }
  while (MSpan* s = idle.PopFront()) mheap.FreeSpan(s);
}

}  // namespace gort::rt
