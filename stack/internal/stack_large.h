// stack/internal/stack_large.h: stacks of 32 KiB and more: free lists by log2(pages) over chunks.
// What      per order, the chunks that have a free slot; a stack that was used before is preferred
//           to a fresh one (its pages are there), the lowest address among equals.
// Layer     5. Package-internal; thread-safe. Takes the large lock.     Go: stackLarge in stack.go
#ifndef GORT_STACK_INTERNAL_STACK_LARGE_H_
#define GORT_STACK_INTERNAL_STACK_LARGE_H_

#include <cstddef>
#include <cstdint>

#include "gort/gmp/g.h"
#include "gort/stack/internal/stack_chunk.h"

namespace gort::rt {

// Makes the first use of the allocator ready for it: chooses the guard, checks the constants.
void LargeInit();

// Takes up to n stacks of an order, guards installed, and returns how many; 0: the OS has no
// address space left. used: how many of them, counted from the first, have been in use and kept their memory; may
// be null.
int LargeTake(int order, int n, StackBounds* out, int* used);
// Gives stacks back; fatal for what is not a stack, or is free already.
void LargeGive(const StackBounds* stacks, int n);

// False when a canary protects the slot's stack and was overwritten. The slot is in use.
bool LargeCanaryIntact(const StackChunk* c, uint32_t slot);

// Bytes of address space: of free stacks whose memory was not given back; of stacks whose memory
// was given back, in total since the start; of stacks in use, spans and Ps' caches included.
int64_t LargeDirtyBytes();
int64_t LargeReleasedBytes();
int64_t LargeInuseBytes();
// See StackScavenge and StackSweep.
int64_t LargeScavenge(int64_t max_bytes, int64_t older_than_ns);
bool LargeSweep(int64_t older_than_ns, int64_t deadline, int64_t* bytes);

}  // namespace gort::rt

#endif  // GORT_STACK_INTERNAL_STACK_LARGE_H_
