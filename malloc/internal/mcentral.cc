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

void MCentral::SetBatches(int n, size_t objects) {
  n_batches_ = n;
  batched_.store(static_cast<uint64_t>(n) * objects, std::memory_order_relaxed);
}

FreeObject* MCentral::Fetch(int span_class, size_t n, size_t* got) {
  FreeObject* list = nullptr;
  *got = 0;
  LockGuard guard(&lock_);
  if (n_batches_ > 0 && n == kSizeClasses[span_class].batch) {
    SetBatches(n_batches_ - 1, n);
    *got = n;
    return batches_[n_batches_];
  }
  while (*got < n) {
    MSpan* s = nonempty_.front();
    if (s == nullptr) {
      if (*got > 0) break;  // fewer than n will do: the heap does not grow for the rest
      s = mheap.AllocSpan(kSizeClasses[span_class].pages, 1, span_class);
      if (s == nullptr) break;
      nonempty_.PushFront(s);
      spans_.store(spans() + 1, std::memory_order_relaxed);
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
    spans_.store(spans() - 1, std::memory_order_relaxed);
  } else if (was_full) {
    nonempty_.PushFront(s);
  }
}

void MCentral::ReturnAll(FreeObject* list, List<MSpan>* idle) {
  uint64_t n = 0;
  while (list != nullptr) {
    FreeObject* next = list->next;
    ReturnOne(list, idle);
    list = next;
    ++n;
  }
  out_.store(objects_out() - n, std::memory_order_relaxed);
}

void MCentral::Return(int span_class, FreeObject* list, size_t n) {
  const SizeClass& c = kSizeClasses[span_class];
  const size_t room = kBatchedBytes / (size_t{c.size} * c.batch);
  const int most = room < kMaxBatches ? static_cast<int>(room) : kMaxBatches;
  List<MSpan> idle;
  {
    LockGuard guard(&lock_);
    if (n == c.batch && n_batches_ < most) {
      batches_[n_batches_] = list;
      SetBatches(n_batches_ + 1, n);
      return;
    }
    ReturnAll(list, &idle);
  }
  while (MSpan* s = idle.PopFront()) mheap.FreeSpan(s);
}

bool MCentral::Drain(int span_class) {
  if (batched() == 0) return false;
  List<MSpan> idle;
  {
    LockGuard guard(&lock_);
    for (int i = 0; i < n_batches_; ++i) ReturnAll(batches_[i], &idle);
    SetBatches(0, kSizeClasses[span_class].batch);
  }
  while (MSpan* s = idle.PopFront()) mheap.FreeSpan(s);
  return true;
}

bool DrainBatches() {
  bool any = false;
  for (int c = 1; c < kNumSpanClasses; ++c) any |= mcentrals[c].Drain(c);
  return any;
}

}  // namespace gort::rt
