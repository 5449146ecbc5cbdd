// stack/internal/guard.h: what stops an overflowing stack from writing into its neighbour.
// What      three kinds of guard below a stack; the best that works is chosen at start-up, and the
//           choice is remembered per stack.
//
//   kKernel    MADV_GUARD_INSTALL (Linux 6.13). A marker in the page table: a touch faults, and the
//              mapping stays whole. Costs one page-table entry a page and no memory.
//   kMprotect  PROT_NONE. A touch faults as well, but every guard cuts a mapping in two, and a
//              process has vm.max_map_count of them (65530 by default). So only a quarter of that
//              many stacks are guarded this way, which spends half of the mappings and leaves the
//              other half to the program.
//   kCanary    the guard's bytes stay readable and writable and must stay zero. Nothing faults; the
//              owner of the stack looks (when the stack is freed, and at every switch while
//              StackCanaryMode()). An overflow is found late, but before the stack below it runs:
//              the guard lies between the two. The lowest stack of a chunk has a guard by mprotect
//              in any case (1 in 252 stacks of the default size), and below that lies the gap
//              (GuardGap). So a runaway recursion, which runs through the stacks below its own, ends
//              in the report and not in the chunk's record. Reading an untouched page maps the kernel's shared
//              page of zeroes, so a canary takes no memory either, and all canaries together stay
//              in the first-level cache: they are one physical page.
//
// What a canary does not find   a frame that is entered without writing into the kMaxCanaryBytes next
//              to the stack, and left again before the goroutine parks or ends, whatever it has
//              written further below. No access of it faults, because all that memory is there, and
//              nothing where the owner looks has changed: the state is the one of a program without
//              overflow. The touches of -fstack-clash-protection do not help, because they add zero
//              to what is there. A goroutine that parks with its stack pointer in the guard is
//              found by that, and a recursion that does not end by the gap.
//
// Why zero and not a pattern   a pattern has to be written, which commits a page per stack: as much
//              again as a parked goroutine takes. What an overflow leaves in the guard is hardly
//              ever all zero: a function that calls another stores its return address there.
//
// Why not a huge reservation without guards   an overflow would then reach the next stack only
//              after 256 KiB more, but it would reach it, and silently.
// Why not one guard per several stacks   it says that something overflowed, not what.
// Why not signal on growth (userfaultfd, a low-water page)   every first touch of a stack's page
//              would cost a round trip through a handler thread; guards cost nothing until hit.
//
// Asking the kernel is not enough: qemu-user (7.2) answers 0 to MADV_GUARD_INSTALL and does
//              nothing. MemGuardWorks therefore installs one and has the kernel touch it.
//
// In batches   a guard is installed when its stack is used for the first time, with those of the
//              next stacks (kGuardBatchBytes) in one process_madvise: an untouched range costs a
//              page-table page per 2 MiB, which the stack's own top page needs anyway. Measured on
//              Linux 6.18, 2 CPUs, guards of 4 KiB in untouched stacks of 256 KiB: 1600 ns a guard
//              one by one, 550 to 640 in batches of 16 and more; the first touch of the stack costs
//              1700 to 2300.
//
// They stay    guards survive MADV_DONTNEED and being cached, so a stack that is used again costs
//              nothing here. MemReset takes them away (GuardForget), with the page tables.
//
// Width        see StackGuardBytes: a frame larger than the guard, entered without touching it, is
//              caught only where it lands on no memory (overflow.h). -fstack-clash-protection makes
//              such frames touch every page, every 64 KiB on arm64.
//              Measured as above for a million stacks, guards of 64 KiB against 16: the same memory
//              and mappings, 1400 to 1600 ns for a fresh stack with either.
//
// Layer     5. Any thread, no locks of its own.
// Go        none: Go's prologues compare the stack pointer, C++'s do not.
#ifndef GORT_STACK_INTERNAL_GUARD_H_
#define GORT_STACK_INTERNAL_GUARD_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace gort::rt {

enum class GuardKind : uint8_t { kNone, kKernel, kMprotect, kCanary };

// Chooses the kind that GuardInstallEach tries first: what `mode` asks for (godebug.stackguard:
// 0 the best there is, 1 mprotect, 2 canary). May be called again: earlier guards stay as they are.
void GuardInit(int64_t mode);

// Guards n stacks whose guards are `bytes` long and `stride` apart, the first at `first` (all in
// fresh memory of ours), and stores what protects each in kinds[0 .. n). Does not fail: what the
// kernel refuses becomes a canary.
void GuardInstallEach(uintptr_t first, size_t bytes, size_t stride, size_t n, GuardKind* kinds);

// Makes a canary of `bytes` at lo a guard by mprotect, beyond the budget. For the lowest stack of a
// chunk: an overflow that runs through all canaries shall fault there, before the chunk's record.
// When the kernel refuses it stays a canary.
void GuardHarden(uintptr_t lo, size_t bytes, GuardKind* kind);

// Takes [lo, lo + bytes) away for good: what lies between a chunk's record and its lowest stack. By
// mprotect where it is large, because markers cost an entry a page. Not counted, and beyond the
// budget. When the kernel refuses it stays readable and writable.
void GuardGap(uintptr_t lo, size_t bytes);

// The memory under n guards was reset or unmapped; clears kinds[0 .. n).
void GuardForget(GuardKind* kinds, size_t n);

// True when nobody has written into the canary [lo, lo + bytes). Reads all of it.
bool GuardCanaryIntact(uintptr_t lo, size_t bytes);

// Guards installed and not forgotten, by kind.
extern std::atomic<int64_t> guard_counts[4];
inline int64_t GuardCount(GuardKind kind) {
  return guard_counts[static_cast<int>(kind)].load(std::memory_order_relaxed);
}
// How many stacks mprotect may still guard.
int64_t GuardMprotectBudget();

}  // namespace gort::rt

#endif  // GORT_STACK_INTERNAL_GUARD_H_
