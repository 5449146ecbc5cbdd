// stack/internal/stack_chunk.h: 64 MiB of equally large stacks, and how to find one by its address.
// What      address space comes from the OS in arenas (up to 1 GiB, one mapping), is handed out in
//           chunks, and a chunk is cut into slots of one size. The chunk's record lies at its own
//           low end: an address and a mask lead to it, and nothing is stored beside the stacks
//           themselves. A gap keeps the stacks away from it: overflows run down (RecordGap). So
//           1,000,000 stacks of 256 KiB are 3,969 chunks and at most 260 mappings
//           (the kernel merges neighbours: 48 were seen in a whole process). Where addresses are
//           scarce (ulimit -v) a chunk has fewer slots.
// Slot      [ guard | usable stack, lo .. hi | colour ]
// Colour    every stack begins at the same offset in its pages, and a goroutine's hottest lines are
//           those at the top: without help they would all compete for the same few sets of the
//           first-level cache. Slot i's top is therefore lowered by 64 * (i mod 16) bytes.
//           Measured (AMD EPYC, L1d 32 KiB a core): visiting 8 lines at the top of each of N stacks
//           by turns costs 10.3 ns a stack without and 3.9 ns with it for N = 16, 10.8 and 5.5 for
//           32, 6.6 and 5.4 for 64, and makes no difference that shows from 256 on.
// Layer     5. Package-internal. Fields are guarded by the large lock (stack_large.cc) unless said
//           otherwise; ChunkOf and StackFind are async-signal-safe.
#ifndef GORT_STACK_INTERNAL_STACK_CHUNK_H_
#define GORT_STACK_INTERNAL_STACK_CHUNK_H_

#include <cstddef>
#include <cstdint>

#include "gort/base/list.h"
#include "gort/gmp/g.h"
#include "gort/stack/internal/guard.h"
#include "gort/stack/internal/stack_layout.h"

namespace gort::rt {

inline constexpr size_t kStackChunkBytes = size_t{64} << 20;
inline constexpr int kMaxSlots = static_cast<int>(kStackChunkBytes / kMinLargeStack);
inline constexpr int kSlotWords = kMaxSlots / 64;
// Chunks of this order hold the spans that small stacks are cut from.
inline constexpr int kSpanOrder = kLargeOrders;
inline constexpr int kChunkOrders = kLargeOrders + 1;

struct StackSpan;

// A set of slots.
class SlotMask {
 public:
  bool Has(uint32_t i) const { return (words_[i / 64] >> (i % 64) & 1) != 0; }
  void Set(uint32_t i) { words_[i / 64] |= uint64_t{1} << (i % 64); }
  void Clear(uint32_t i) { words_[i / 64] &= ~(uint64_t{1} << (i % 64)); }
  // The lowest member below end; end: none.
  uint32_t First(uint32_t end) const;
  uint64_t word(int w) const { return words_[w]; }
  void set_word(int w, uint64_t v) { words_[w] = v; }

 private:
  uint64_t words_[kSlotWords] = {};
};

struct StackChunk : ListNode<StackChunk> {
  int order = 0;          // const after init; slot_bytes == kMinLargeStack << order, or kSpanOrder
  uint32_t first = 1;     // const after init; slots are [first, end); below: the record and the gap
  uint32_t end = 0;       // const after init
  uintptr_t origin = 0;   // const after init; slot i begins at origin + i * slot_bytes
  size_t slot_bytes = 0;  // const after init
  size_t guard_bytes = 0;          // const after init; 0: spans have none
  uintptr_t gap = 0;               // const after init; where the gap begins; 0: there is none
  size_t mapped_bytes = 0;         // const after init; > 0: one stack with a mapping of its own
  StackChunk* all_next = nullptr;  // const after it is published
  uint32_t n_free = 0;
  uint32_t guarded = 1;  // slots [first, guarded) have guards
  int64_t aged_at = 0;   // when `aged` was taken, Nanotime
  SlotMask free;         // owned by nobody
  SlotMask dirty;        // ⊆ free: has been used since its memory was last given back
  SlotMask aged;         // ⊆ dirty: has been free since aged_at at least
  // The two tables have no initialiser: they lie in fresh memory, which reads as zero, and only the
  // pages that are needed shall be committed (the record of 256 KiB stacks takes one page).
  GuardKind guard[kMaxSlots];  // written under the lock while the slot is not yet used
  StackSpan* span[kMaxSlots];  // order kSpanOrder; guarded by the pool's lock

  uintptr_t Slot(uint32_t i) const { return origin + i * slot_bytes; }
  uint32_t IndexOf(uintptr_t addr) const {
    return static_cast<uint32_t>((addr - origin) / slot_bytes);
  }
  StackBounds Bounds(uint32_t i) const {
    uintptr_t slot = Slot(i);
    return {slot + guard_bytes,
            slot + slot_bytes - (guard_bytes == 0 ? 0 : i % kStackColours * kStackColourBytes)};
  }
};
static_assert(sizeof(StackChunk) <= kMinLargeStack, "the record must fit in the first slot");

// A new chunk of that order, every slot free; null: the OS has no address space left. page: the
// OS's. Requires: the large lock.
StackChunk* NewStackChunk(int order, size_t page);
// Unmaps a chunk with a mapping of its own. Requires: the large lock.
void DeleteStackChunk(StackChunk* c);

// The chunk that holds addr; null: not a stack of ours (a chunk of its own mapping is known by its
// first 64 MiB). Any thread, signal handlers.
StackChunk* ChunkOf(uintptr_t addr);

// All chunks of shared mappings, newest first (linked by all_next, never unlinked).
StackChunk* AllStackChunks();

// Address space taken from the OS, bytes.
int64_t StackReservedBytes();

}  // namespace gort::rt

#endif  // GORT_STACK_INTERNAL_STACK_CHUNK_H_
