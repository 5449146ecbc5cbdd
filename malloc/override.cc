// malloc/override.cc: gort's allocator in place of the C library's and of operator new.
// What      linking //malloc:override defines malloc, free and their family and every replaceable
//           operator new and delete, for the whole process: shared libraries use them too.
// Early     the first calls come from the dynamic linker and the C library, before constructors and
//           even before main's relocations are all done: see "Start" in mheap.h.
// Aligned   blocks of up to 8 bytes to 8, larger ones to 16. C programs keep flags in the low bits
//           of pointers, so the 4-byte slots of tiny objects are left to callers of Alloc.
// Errors    as the C and C++ standards say: null and errno ENOMEM; the new-handler, then
//           std::bad_alloc. A process that has got no memory at all yet ends with "fatal error: out
//           of memory (the first block of the heap)".
// Sanitizers  bring a malloc of their own; under them this file defines nothing.
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <new>

#include "gort/base/attributes.h"
#include "gort/base/bits.h"
#include "gort/malloc/internal/fast_path.h"
#include "gort/malloc/internal/fork.h"
#include "gort/malloc/internal/mheap.h"
#include "gort/malloc/malloc.h"
#include "gort/platforms/mem.h"

#if !GORT_ASAN && !GORT_TSAN

namespace {

namespace heap = gort::malloc;

constexpr size_t kLeast = 8;

size_t AtLeast(size_t n) { return n < kLeast ? kLeast : n; }

// Who calls before the program begins, the C library, does not look at the answer.
GORT_COLD void* NoMemory() {
  if (gort::rt::mheap.ReadStats().sys == 0) {
    gort::rt::MemExhausted("the first block of the heap", 0);
  }
  errno = ENOMEM;
  return nullptr;
}

GORT_ALWAYS_INLINE void* OrEnomem(void* p) { return GORT_LIKELY(p != nullptr) ? p : NoMemory(); }

size_t OsPage() { return static_cast<size_t>(getpagesize()); }

// The loop that [new.delete.single] asks for. Null only without a handler or when nothrow asks.
GORT_COLD void* NewSlow(size_t n, size_t align, bool nothrow) {
  while (true) {
    std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) {
      if (nothrow) return nullptr;
      throw std::bad_alloc();
    }
    if (nothrow) {
      try {
        handler();
      } catch (const std::bad_alloc&) {
        return nullptr;
      }
    } else {
      handler();
    }
    if (void* p = heap::AllocAligned(align, AtLeast(n))) return p;
  }
}

GORT_NOINLINE void* MallocSlow(size_t n) { return OrEnomem(heap::Alloc(AtLeast(n))); }

GORT_NOINLINE void* NewAny(size_t n, bool nothrow) {
  void* p = heap::Alloc(AtLeast(n));
  return GORT_LIKELY(p != nullptr) ? p : NewSlow(n, kLeast, nothrow);
}

GORT_ALWAYS_INLINE void* New(size_t n, bool nothrow) {
  void* p = gort::rt::TakeSmall(n);
  return GORT_LIKELY(p != nullptr) ? p : NewAny(n, nothrow);
}

// heap::Free leaves errno alone, as POSIX wants it of free: what makes system calls keeps it.
GORT_ALWAYS_INLINE void Delete(void* p) {
  const int given = gort::rt::GiveSmall(p);
  if (GORT_UNLIKELY(given != gort::rt::kGiven)) gort::rt::FreeRest(p, given);
}

GORT_ALWAYS_INLINE void* NewAligned(size_t n, std::align_val_t align, bool nothrow) {
  void* p = heap::AllocAligned(static_cast<size_t>(align), AtLeast(n));
  return GORT_LIKELY(p != nullptr) ? p : NewSlow(n, static_cast<size_t>(align), nothrow);
}

// Our fork handler has to run last before a fork: those of others may allocate, or wait for a lock
// whose holder allocates. Handlers run in the reverse order of their registration, so ours is
// registered first. A constructor of the program is too late, because the constructors of shared
// libraries run before it. The first allocation is the wrong place: it may come after a
// registration, or from inside one. .preinit_array is early enough, but does not exist in shared
// objects. What every registration goes through is __register_atfork, to which each object's
// pthread_atfork is a stub: defined here, it is replaced as malloc is, and registers ours first.
// In a program without shared libraries the C library's definition, which is not weak, takes its
// place if there is a fork at all, and an early constructor is early enough.
using ForkHandler = void (*)();
using RegisterFn = int (*)(ForkHandler prepare, ForkHandler parent, ForkHandler child, void* dso);

pthread_once_t fork_once = PTHREAD_ONCE_INIT;
RegisterFn libc_register = nullptr;  // written under fork_once

void RegisterFirst() {
  libc_register = reinterpret_cast<RegisterFn>(dlsym(RTLD_NEXT, "__register_atfork"));
  if (libc_register == nullptr) return;
  // Null for the object: the handlers stay when one is unloaded.
  libc_register(&gort::rt::MallocForkPrepare, &gort::rt::MallocForkDone, &gort::rt::MallocForkDone,
                nullptr);
}

// For a program in which nobody else registers, and for one without shared libraries.
__attribute__((constructor(101))) void RegisterForkHandlers() {
  pthread_atfork(&gort::rt::MallocForkPrepare, &gort::rt::MallocForkDone,
                 &gort::rt::MallocForkDone);
}

}  // namespace

extern "C" {

// Its declaration is in no header.
__attribute__((weak)) int __register_atfork(ForkHandler prepare, ForkHandler parent,
                                            ForkHandler child, void* dso);
__attribute__((weak)) int __register_atfork(ForkHandler prepare, ForkHandler parent,
                                            ForkHandler child, void* dso) {
  pthread_once(&fork_once, &RegisterFirst);
  if (prepare == &gort::rt::MallocForkPrepare || libc_register == nullptr) return 0;
  return libc_register(prepare, parent, child, dso);
}

void* malloc(size_t n) noexcept {
  void* p = gort::rt::TakeSmall(n);
  return GORT_LIKELY(p != nullptr) ? p : MallocSlow(n);
}
void free(void* p) noexcept { Delete(p); }
void* calloc(size_t count, size_t n) noexcept {
  if (count == 0 || n == 0) return OrEnomem(heap::AllocZeroed(1, kLeast));
  if (count < kLeast && n < kLeast) return OrEnomem(heap::AllocZeroed(1, AtLeast(count * n)));
  return OrEnomem(heap::AllocZeroed(count, n));
}

void* realloc(void* p, size_t n) noexcept {
  if (p == nullptr) return malloc(n);
  if (n == 0) {  // as the GNU C library does
    free(p);
    return nullptr;
  }
  return OrEnomem(heap::Realloc(p, AtLeast(n)));
}

void* reallocarray(void* p, size_t count, size_t n) noexcept {
  size_t total;
  if (__builtin_mul_overflow(count, n, &total)) return OrEnomem(nullptr);
  return realloc(p, total);
}

void* memalign(size_t align, size_t n) noexcept {
  if (align > SIZE_MAX / 2) return OrEnomem(nullptr);
  return OrEnomem(heap::AllocAligned(std::bit_ceil(align < kLeast ? kLeast : align), n));
}

void* aligned_alloc(size_t align, size_t n) noexcept {
  if (!gort::rt::IsPowerOfTwo(align)) {
    errno = EINVAL;
    return nullptr;
  }
  return memalign(align, n);
}

int posix_memalign(void** out, size_t align, size_t n) noexcept {
  if (!gort::rt::IsPowerOfTwo(align) || align % sizeof(void*) != 0) return EINVAL;
  void* p = heap::AllocAligned(align, n);
  if (p == nullptr) return ENOMEM;
  *out = p;
  return 0;
}

void* valloc(size_t n) noexcept { return memalign(OsPage(), n); }
void* pvalloc(size_t n) noexcept {
  const size_t page = OsPage();
  if (n > SIZE_MAX - page) return OrEnomem(nullptr);
  return memalign(page, n == 0 ? page : gort::rt::AlignUp(n, page));
}

size_t malloc_usable_size(void* p) noexcept { return heap::UsableSize(p); }

}  // extern "C"

void* operator new(size_t n) { return New(n, false); }
void* operator new[](size_t n) { return New(n, false); }
void* operator new(size_t n, const std::nothrow_t&) noexcept { return New(n, true); }
void* operator new[](size_t n, const std::nothrow_t&) noexcept { return New(n, true); }
void* operator new(size_t n, std::align_val_t a) { return NewAligned(n, a, false); }
void* operator new[](size_t n, std::align_val_t a) { return NewAligned(n, a, false); }
void* operator new(size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return NewAligned(n, a, true);
}
void* operator new[](size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return NewAligned(n, a, true);
}

void operator delete(void* p) noexcept { Delete(p); }
void operator delete[](void* p) noexcept { Delete(p); }
void operator delete(void* p, size_t) noexcept { Delete(p); }
void operator delete[](void* p, size_t) noexcept { Delete(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { Delete(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { Delete(p); }
void operator delete(void* p, std::align_val_t) noexcept { Delete(p); }
void operator delete[](void* p, std::align_val_t) noexcept { Delete(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { Delete(p); }
void operator delete[](void* p, size_t, std::align_val_t) noexcept { Delete(p); }
void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept { Delete(p); }
void operator delete[](void* p, std::align_val_t, const std::nothrow_t&) noexcept { Delete(p); }

#endif  // !GORT_ASAN && !GORT_TSAN
