#include "gort/stack/internal/stack_chunk.h"

#include <atomic>
#include <bit>
#include <new>

#include "gort/base/attributes.h"
#include "gort/base/bits.h"
#include "gort/platforms/mem.h"

namespace gort::rt {
namespace {

// Chunks are found by one bit each, for 48 bits of addresses: what Linux gives without being asked
// for more. Pages of this table that no stack needs are never touched.
constexpr int kAddressBits = 48;
constexpr size_t kMapWords = (size_t{1} << kAddressBits) / kStackChunkBytes / 64;
constinit std::atomic<uint64_t> chunk_map[kMapWords] = {};

// Guarded by the large lock.
constinit uintptr_t arena_next = 0;  // first chunk of the newest arena that is not handed out
constinit uintptr_t arena_end = 0;
constinit size_t arena_bytes = kStackChunkBytes;  // size of the next arena

constexpr size_t kLeastChunk = size_t{4} << 20;
constexpr size_t kMaxArena = size_t{1} << 30;
// Offset of the stack in a mapping of its own; a page of any size.
constexpr size_t kOwnHeader = size_t{64} << 10;

constinit std::atomic<StackChunk*> all_chunks{nullptr};
constinit std::atomic<int64_t> reserved_bytes{0};

void SetMapBit(uintptr_t base, bool on) {
  size_t n = base / kStackChunkBytes;
  uint64_t bit = uint64_t{1} << (n % 64);
  // pairs with: ChunkOf. The record is written before its bit, and the bit goes before the record.
  if (on) {
    chunk_map[n / 64].fetch_or(bit, std::memory_order_release);
  } else {
    chunk_map[n / 64].fetch_and(~bit, std::memory_order_release);
  }
}

bool Representable(uintptr_t base, size_t bytes) {
  return ((base + bytes - 1) >> kAddressBits) == 0;
}

// Address space for a chunk that is smaller than others, but for two slots and aligned as they are;
// null: there is none.
uintptr_t TakeSmallChunk(size_t slot_bytes, size_t* bytes) {
  for (size_t n = kStackChunkBytes / 2; n >= 2 * slot_bytes && n >= kLeastChunk; n /= 2) {
    void* p = MemMap(n, kStackChunkBytes);
    if (p == nullptr) continue;
    MemNoHugePage(p, n);
    reserved_bytes.fetch_add(static_cast<int64_t>(n), std::memory_order_relaxed);
    *bytes = n;
    return reinterpret_cast<uintptr_t>(p);
  }
  return 0;
}

// Address space for one more chunk of an arena; 0: there is none.
uintptr_t TakeChunk() {
  if (arena_next == arena_end) {
    void* p = nullptr;
    size_t bytes = arena_bytes;
    while (true) {
      p = MemMap(bytes, kStackChunkBytes);
      if (p != nullptr || bytes == kStackChunkBytes) break;
      bytes /= 2;
    }
    uintptr_t base = reinterpret_cast<uintptr_t>(p);
    if (base == 0 || !Representable(base, bytes)) return 0;
    // A huge page would be committed whole for the few kilobytes that a goroutine touches.
    MemNoHugePage(p, bytes);
    reserved_bytes.fetch_add(static_cast<int64_t>(bytes), std::memory_order_relaxed);
    arena_next = base;
    arena_end = base + bytes;
    if (arena_bytes < kMaxArena) arena_bytes *= 2;
  }
  uintptr_t chunk = arena_next;
  arena_next += kStackChunkBytes;
  return chunk;
}

StackChunk* NewOwnMapping(size_t slot_bytes) {
  size_t bytes = AlignUp(kOwnHeader + slot_bytes, kStackChunkBytes);
  void* p = MemMap(bytes, kStackChunkBytes);
  if (p == nullptr) return nullptr;
  if (!Representable(reinterpret_cast<uintptr_t>(p), bytes)) {
    MemUnmap(p, bytes);
    return nullptr;
  }
  MemNoHugePage(p, bytes);
  reserved_bytes.fetch_add(static_cast<int64_t>(bytes), std::memory_order_relaxed);
  StackChunk* c = ::new (p) StackChunk;
  c->mapped_bytes = bytes;
  c->origin = reinterpret_cast<uintptr_t>(p) + kOwnHeader - slot_bytes;  // slot 1 is the only one
  c->end = 2;
  return c;
}

// The slots of a chunk in a shared mapping, above its record and the gap.
void LayOut(StackChunk* c, uintptr_t base, size_t bytes, size_t page) {
  const size_t record = AlignUp(sizeof(StackChunk), page);
  c->origin = base;
  c->gap = base + record;
  while (c->first * c->slot_bytes + c->guard_bytes < record + RecordGap(bytes)) ++c->first;
  c->guarded = c->first;
  c->end = static_cast<uint32_t>(bytes / c->slot_bytes);
  GuardGap(c->gap, c->Slot(c->first) - c->gap);
}

}  // namespace

uint32_t SlotMask::First(uint32_t end) const {
  for (uint32_t w = 0; w * 64 < end; ++w) {
    if (words_[w] != 0) return w * 64 + static_cast<uint32_t>(std::countr_zero(words_[w]));
  }
  return end;
}

StackChunk* NewStackChunk(int order, size_t page) {
  size_t slot_bytes = order == kSpanOrder ? kStackCacheBytes : kMinLargeStack << order;
  StackChunk* c;
  size_t chunk_bytes = 0;  // of a shared mapping
  if (slot_bytes * 2 > kStackChunkBytes) {
    c = NewOwnMapping(slot_bytes);
    if (c == nullptr) return nullptr;
  } else {
    size_t bytes = kStackChunkBytes;
    uintptr_t base = TakeChunk();
    if (base == 0) base = TakeSmallChunk(slot_bytes, &bytes);
    if (base == 0 || !Representable(base, bytes)) return nullptr;
    c = ::new (reinterpret_cast<void*>(base)) StackChunk;
    chunk_bytes = bytes;
  }
  c->order = order;
  c->slot_bytes = slot_bytes;
  c->guard_bytes = order == kSpanOrder ? 0 : StackGuardBytes(slot_bytes, page);
  if (chunk_bytes != 0) LayOut(c, reinterpret_cast<uintptr_t>(c), chunk_bytes, page);
  c->n_free = c->end - c->first;
  for (uint32_t i = c->first; i < c->end; ++i) c->free.Set(i);
  if (c->mapped_bytes == 0) {
    c->all_next = all_chunks.load(std::memory_order_relaxed);  // writers hold the lock
    all_chunks.store(c, std::memory_order_release);            // pairs with: AllStackChunks
  }
  SetMapBit(reinterpret_cast<uintptr_t>(c), true);
  return c;
}

void DeleteStackChunk(StackChunk* c) {
  SetMapBit(reinterpret_cast<uintptr_t>(c), false);
  GuardForget(&c->guard[c->first], c->end - c->first);
  reserved_bytes.fetch_sub(static_cast<int64_t>(c->mapped_bytes), std::memory_order_relaxed);
  MemUnmap(c, c->mapped_bytes);
}

StackChunk* ChunkOf(uintptr_t addr) {
  if ((addr >> kAddressBits) != 0) return nullptr;
  size_t n = addr / kStackChunkBytes;
  uint64_t word = chunk_map[n / 64].load(std::memory_order_acquire);  // pairs with: SetMapBit
  if ((word >> (n % 64) & 1) == 0) return nullptr;
  return reinterpret_cast<StackChunk*>(AlignDown(addr, kStackChunkBytes));
}

StackChunk* AllStackChunks() {
  return all_chunks.load(std::memory_order_acquire);  // pairs with: NewStackChunk
}

int64_t StackReservedBytes() { return reserved_bytes.load(std::memory_order_relaxed); }

}  // namespace gort::rt
