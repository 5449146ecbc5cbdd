#include "gort/malloc/malloc.h"

#include <cstring>
#include <utility>

#include "gort/base/attributes.h"
#include "gort/base/bits.h"
#include "gort/malloc/internal/current_mcache.h"
#include "gort/malloc/internal/fast_path.h"
#include "gort/malloc/internal/mcache.h"
#include "gort/malloc/internal/mcentral.h"
#include "gort/malloc/internal/mheap.h"
#include "gort/malloc/internal/persistentalloc.h"
#include "gort/malloc/internal/sample.h"
#include "gort/malloc/internal/scavenge.h"
#include "gort/malloc/internal/size_classes.h"
#include "gort/platforms/pins.h"

namespace gort::malloc {
namespace {

using rt::kHeapPageShift;
using rt::kHeapPageSize;
using rt::kMaxSmallSize;
using rt::kSizeClasses;
using rt::kTinyBytes;
using rt::kTinySpanClass;
using rt::MCache;
using rt::MSpan;

// Requires: span_class from a size of at most kMaxSmallSize.
GORT_ALWAYS_INLINE void* AllocClass(MCache& c, int span_class) {
  return span_class == kTinySpanClass ? c.AllocTiny() : c.Alloc(span_class);
}

GORT_NOINLINE void* AllocClassSlow(int span_class) {
  rt::MCacheRef c;
  return AllocClass(*c, span_class);
}

GORT_ALWAYS_INLINE int ClassOf(size_t bytes) {
  return bytes <= kTinyBytes ? kTinySpanClass : rt::SizeToClass(bytes);
}

// Objects that own their span; align at most a page costs nothing. *zero: see MSpan::needs_zero.
GORT_NOINLINE void* AllocLarge(size_t align, size_t bytes, bool* zero) {
  const size_t n_pages = rt::PagesFor(bytes);
  if (n_pages == 0 || align > size_t{1} << rt::kAddressBits) return nullptr;
  const size_t align_pages = align <= kHeapPageSize ? 1 : align >> kHeapPageShift;
  MSpan* s = rt::mheap.AllocSpan(n_pages, align_pages, 0);
  if (s == nullptr) return nullptr;
  *zero = !s->needs_zero;
  rt::KeepToMemoryLimit();
  return reinterpret_cast<void*>(s->base);
}

// A large object's, if a profile wants to know of it.
void NoteSample(void* p, size_t bytes, int64_t rate) {
  MSpan* s = rt::page_map.Get(reinterpret_cast<uintptr_t>(p));
  s->sample = rt::heap_alloc_hook(bytes, rate);
}

GORT_NOINLINE void* AllocLargeNoted(size_t align, size_t bytes, bool* zero) {
  void* p = AllocLarge(align, bytes, zero);
  const int64_t rate = rt::heap_sample_rate.load(std::memory_order_relaxed);
  if (GORT_UNLIKELY(rate != 0) && p != nullptr && rt::IsHeapSample(bytes, rate)) {
    NoteSample(p, bytes, rate);
  }
  return p;
}

// Of a thread without a cache (c null), or of an allocation at which c's sampler is to be asked.
GORT_COLD void* AllocRare(MCache* c, size_t align, size_t bytes, int span_class) {
  if (c == nullptr) return AllocClassSlow(span_class);
  const int64_t rate = c->sampler().Sampled(rt::heap_sample_rate.load(std::memory_order_relaxed));
  if (rate != 0) {
    bool zero;
    if (void* p = AllocLarge(align, bytes, &zero)) {
      NoteSample(p, bytes, rate);
      return p;
    }
  }
  return AllocClass(*c, span_class);
}

// False: AllocRare.
GORT_ALWAYS_INLINE bool IsPlain(MCache* c, size_t bytes) {
  return GORT_LIKELY(c != nullptr && !c->sampler().Met(bytes));
}

GORT_NOINLINE void FreeLarge(void* p, MSpan* s) {
  if (reinterpret_cast<uintptr_t>(p) != s->base) rt::MallocFatal("free of a wrong pointer", p);
  if (GORT_UNLIKELY(s->sample != nullptr)) rt::heap_free_hook(std::exchange(s->sample, nullptr));
  rt::mheap.FreeSpan(s);
  rt::MaybeScavenge();
}

GORT_NOINLINE void FreeSmallSlow(void* p, MSpan* s) {
  rt::MCacheRef c;
  if (s->span_class == kTinySpanClass) {
    c->FreeTiny(p);
  } else {
    c->Free(static_cast<rt::FreeObject*>(p), s->span_class);
  }
}

// The span that p lies in, or death.
GORT_ALWAYS_INLINE MSpan* SpanOf(const void* p, const char* verb) {
  const uintptr_t a = reinterpret_cast<uintptr_t>(p);
  MSpan* s = rt::page_map.Get(a);
  if (GORT_UNLIKELY(s == nullptr || !s->in_use() || a - s->base >= s->bytes())) {
    rt::MallocFatal(verb, p);
  }
  return s;
}

}  // namespace

namespace {

GORT_NOINLINE void* AllocSlow(size_t bytes) {
  rt::Pinned pinned;
  if (GORT_LIKELY(bytes <= kMaxSmallSize)) {
    MCache* c = rt::t_mcache;
    const bool rare = c == nullptr || c->sampler().MetBefore(bytes);  // by TakeSmall
    if (GORT_UNLIKELY(rare)) return AllocRare(c, 1, bytes, ClassOf(bytes));
    return AllocClass(*c, ClassOf(bytes));
  }
  bool zero;
  return AllocLargeNoted(1, bytes, &zero);
}

GORT_NOINLINE void FreeSlow(void* p) {
  if (p == nullptr) return;
  rt::Pinned pinned;
  MSpan* s = SpanOf(p, "free of a pointer that is not allocated");
  if (s->span_class == 0) return FreeLarge(p, s);
  FreeSmallSlow(p, s);
}

GORT_NOINLINE void FreeTinySlow(void* p) {
  rt::MCacheRef c;
  c->FreeTiny(p);
}

GORT_NOINLINE void* AllocTiny(size_t bytes) {
  rt::Pinned pinned;
  MCache* c = rt::t_mcache;
  if (!IsPlain(c, bytes)) return AllocRare(c, 1, bytes, kTinySpanClass);
  return c->AllocTiny();
}

}  // namespace
}  // namespace gort::malloc

namespace gort::rt {

GORT_NOINLINE void FreeRest(void* p, int given) {
  if (given == kNotHere) return malloc::FreeSlow(p);
  Pinned pinned;
  MCache* c = t_mcache;
  if (given != kTiny) {
    if (c != nullptr) c->TooLong(given);
  } else if (GORT_LIKELY(c != nullptr)) {
    c->FreeTiny(p);
  } else {
    malloc::FreeTinySlow(p);
  }
}

}  // namespace gort::rt

namespace gort::malloc {

GORT_NOINLINE void* Alloc(size_t bytes) {
  if (GORT_UNLIKELY(bytes <= kTinyBytes)) return AllocTiny(bytes);
  void* p = rt::TakeSmall(bytes);
  return GORT_LIKELY(p != nullptr) ? p : AllocSlow(bytes);
}

GORT_NOINLINE void* AllocAligned(size_t align, size_t bytes) {
  if (GORT_UNLIKELY(!rt::IsPowerOfTwo(align))) {
    rt::MallocFatal("alignment is not a power of two", reinterpret_cast<void*>(align));
  }
  rt::Pinned pinned;
  // Objects of a class lie at multiples of its size from a page boundary.
  if (bytes < align) bytes = align;
  if (align <= kHeapPageSize && bytes <= kMaxSmallSize) {
    int span_class = ClassOf(bytes);
    while (!rt::IsAligned(kSizeClasses[span_class].size, align)) ++span_class;
    MCache* c = rt::t_mcache;
    if (!IsPlain(c, bytes)) return AllocRare(c, align, bytes, span_class);
    return AllocClass(*c, span_class);
  }
  bool zero;
  return AllocLargeNoted(align, bytes, &zero);
}

void* AllocZeroed(size_t count, size_t bytes) {
  size_t total;
  if (__builtin_mul_overflow(count, bytes, &total)) return nullptr;
  if (total > kMaxSmallSize) {
    bool zero = false;
    rt::Pin();
    void* p = AllocLargeNoted(1, total, &zero);
    rt::Unpin();
    if (p != nullptr && !zero) memset(p, 0, total);
    return p;
  }
  void* p = Alloc(total);
  if (p != nullptr) memset(p, 0, total);
  return p;
}

GORT_NOINLINE void Free(void* p) {
  const int given = rt::GiveSmall(p);
  if (GORT_UNLIKELY(given != rt::kGiven)) rt::FreeRest(p, given);
}

void FreeSized(void* p, size_t bytes) {
  if (rt::kDebug && p != nullptr && bytes > UsableSize(p)) {
    rt::MallocFatal("free of more bytes than the block has", p);
  }
  Free(p);
}

namespace {

// A block for what outgrew its own.
void* AllocToGrow(size_t bytes) {
  const size_t slack = bytes / 4;
  if (bytes > kMaxSmallSize && bytes <= SIZE_MAX - slack) {
    if (void* p = Alloc(bytes + slack)) return p;
  }
  return Alloc(bytes);
}

}  // namespace

void* Realloc(void* p, size_t bytes) {
  const size_t had = UsableSize(p);
  if (p != nullptr && bytes <= had && bytes >= had / 2) return p;
  void* q = p != nullptr && bytes > had ? AllocToGrow(bytes) : Alloc(bytes);
  if (q == nullptr || p == nullptr) return q;
  memcpy(q, p, bytes < had ? bytes : had);
  Free(p);
  return q;
}

size_t UsableSize(const void* p) {
  if (p == nullptr) return 0;
  const MSpan* s = SpanOf(p, "size of a pointer that is not allocated");
  if (s->span_class == 0) return s->bytes();
  return s->span_class == kTinySpanClass ? kTinyBytes : s->elem_bytes;
}

size_t ReleaseFreeMemory() {
  rt::Pinned pinned;
  if (rt::t_mcache != nullptr) rt::t_mcache->Flush();
  rt::DrainBatches();
  return static_cast<size_t>(rt::ScavengeAll());
}

int64_t SetMemoryLimit(int64_t bytes) {
  if (bytes < 0) return rt::MemoryLimit();
  rt::Pinned pinned;
  return rt::SetMemoryLimit(bytes);
}

size_t ReadClassStats(ClassStats* out, size_t n) {
  static_assert(kNumClasses == rt::kNumSpanClasses - 1);
  rt::Pinned pinned;
  for (size_t i = 0; i < n && i < kNumClasses; ++i) {
    const int c = static_cast<int>(i) + 1;
    const rt::SizeClass& k = kSizeClasses[c];
    const rt::MCentral& central = rt::mcentrals[c];
    const uint64_t out_of_spans = central.objects_out();
    const uint64_t cached = rt::CachedObjects(c);
    const uint64_t room = central.spans() * k.objects;
    out[i].object_bytes = k.size;
    out[i].tiny = c == kTinySpanClass;
    out[i].in_use = out_of_spans > cached ? out_of_spans - cached : 0;
    out[i].cached = cached;
    out[i].free = room > out_of_spans ? room - out_of_spans : 0;
    out[i].spans = central.spans();
    out[i].span_bytes = central.spans() * k.pages * kHeapPageSize;
  }
  return kNumClasses;
}

Stats ReadStats() {
  rt::Pinned pinned;
  Stats out;
  for (int c = 1; c < rt::kNumSpanClasses; ++c) {
    const uint64_t cached = rt::CachedObjects(c);
    uint64_t held = rt::mcentrals[c].objects_out();
    held = held > cached ? held - cached : 0;
    out.cached += cached * kSizeClasses[c].size;
    out.in_use += held * kSizeClasses[c].size;
    out.in_use_objects += held;
  }
  const rt::HeapStats heap = rt::mheap.ReadStats();
  out.in_use += heap.large;
  out.in_use_large = heap.large;
  out.in_use_objects += heap.large_objects;
  out.heap_reserved = heap.reserved;
  out.heap_sys = heap.sys;
  out.heap_in_use = heap.inuse;
  out.heap_idle = heap.free;
  out.heap_released = heap.released;
  out.scavenged = rt::ScavengedTotal();
  out.metadata = rt::PersistentAllocated();
  return out;
}

}  // namespace gort::malloc
