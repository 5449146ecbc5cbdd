// malloc/internal/fixalloc.h: a free list of objects of one size, for the runtime's own records.
// What      FixAlloc hands out raw memory of one size; TypedFixAlloc<T> constructs and destroys T.
//           Memory comes from persistentalloc and goes back to the list, never to the OS.
// Layer     4.                                                        Go: fixalloc (mfixalloc.go)
// Safety    NOT locked: the owner serialises all calls on one object (ABSL_GUARDED_BY its lock).
//           Any thread, any stack but the signal stack; takes the persistent lock on refill.
// Errors    out of memory is fatal in Alloc (persistentalloc.h), null or false in the others. In
//           debug builds a freed object is filled with kFixFreedByte; an object freed twice in a
//           row is fatal "fixalloc: double free".
#ifndef GORT_MALLOC_INTERNAL_FIXALLOC_H_
#define GORT_MALLOC_INTERNAL_FIXALLOC_H_

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace gort::rt {

// Bytes of a refill; objects larger than that come one by one.
inline constexpr size_t kFixAllocChunk = size_t{16} << 10;
inline constexpr unsigned char kFixFreedByte = 0xdb;

class FixAlloc {
 public:
  // size in bytes (> 0) and align (a power of two, at most the OS page size) of every object.
  // zero: Alloc returns cleared memory. zero = false: a reused object keeps the bytes it had when
  // freed, except the first pointer (and, in debug builds, all of them are overwritten), and
  // clearing costs nothing. Constant-initialised, so that it may be a global.
  constexpr explicit FixAlloc(size_t size, size_t align = alignof(void*), bool zero = true)
      : size_(RoundSize(size, align)), align_(align), zero_(zero) {}
  FixAlloc(const FixAlloc&) = delete;
  FixAlloc& operator=(const FixAlloc&) = delete;

  // Never null. Go: (*fixalloc).alloc (mfixalloc.go).
  void* Alloc();
  // Null: out of memory.
  void* TryAlloc();
  // Sees to it that the next n calls of Alloc need no memory of the OS, n objects being at most a
  // refill. False: out of memory.
  bool Reserve(size_t n) {
    if (listed_ >= n || chunk_bytes_ >= (n - listed_) * size_) return true;
    return Refill();
  }
  // p: from Alloc of this object, not freed since. Go: (*fixalloc).free (mfixalloc.go).
  void Free(void* p);

  size_t inuse_bytes() const { return inuse_; }  // held by callers

 private:
  struct Link {
    Link* next;
  };

  static constexpr size_t RoundSize(size_t size, size_t align) {
    if (size < sizeof(void*)) size = sizeof(void*);
    if (align < alignof(void*)) align = alignof(void*);
    return (size + align - 1) & ~(align - 1);
  }

  bool Refill();

  // All fields: owner's lock.
  const size_t size_;
  const size_t align_;
  const bool zero_;
  Link* list_ = nullptr;    // freed objects
  size_t listed_ = 0;       // how many
  char* chunk_ = nullptr;   // the untouched (zero) rest of the newest chunk
  size_t chunk_bytes_ = 0;  // ... and its length
  size_t inuse_ = 0;
};

// FixAlloc of T. Memory is cleared before the constructor runs when zero is set (the default), so
// that padding and members without initialiser read as zero.
template <class T>
class TypedFixAlloc {
 public:
  constexpr explicit TypedFixAlloc(bool zero = true) : raw_(sizeof(T), alignof(T), zero) {}

  template <class... A>
  T* Alloc(A&&... args) {
    return ::new (raw_.Alloc()) T(std::forward<A>(args)...);
  }
  // Null: out of memory.
  template <class... A>
  T* TryAlloc(A&&... args) {
    void* p = raw_.TryAlloc();
    return p != nullptr ? ::new (p) T(std::forward<A>(args)...) : nullptr;
  }
  bool Reserve(size_t n) { return raw_.Reserve(n); }
  void Free(T* t) {
    t->~T();
    raw_.Free(t);
  }

  const FixAlloc& raw() const { return raw_; }

 private:
  FixAlloc raw_;
};

}  // namespace gort::rt

#endif  // GORT_MALLOC_INTERNAL_FIXALLOC_H_
