// platforms/mem.h: address space and pages from the OS.
// What      reserve, commit, release, guard. Sizes in bytes; addresses and sizes must be multiples
//           of PageSize() unless said otherwise.
// Layer     2. Any thread, any stack, signal handlers; errno is left as it was.  Go: mem_linux.go
// Errors    null or false, and the caller decides; ranges that the caller does not own are misuse.
//           See mmap(2), madvise(2).
// States    reserved (no access, costs nothing) -> MemCommit -> committed (zero on first touch)
//           -> MemRelease -> committed and cold; MemProtectNone and MemGuardInstall take access
//           away from committed pages again.
#ifndef GORT_PLATFORMS_MEM_H_
#define GORT_PLATFORMS_MEM_H_

#include <cstddef>

namespace gort::rt {

// Bytes in a page (4096 on amd64; 4096, 16384 or 65536 on arm64). Reads the auxiliary vector once.
size_t PageSize();
// Bytes in a transparent huge page, 0 when the kernel has none. Reads a file; call it once.
size_t HugePageSize();

// Reserves bytes of inaccessible address space, aligned to align (a power of two; below the page
// size: to a page). Null: none left, or bytes is 0. Go: sysReserve.
void* MemReserve(size_t bytes, size_t align);
// Makes reserved pages readable and writable (zero-filled on first touch). False: out of memory.
bool MemCommit(void* p, size_t bytes);
// Reserves and commits in one mapping that the kernel does not charge for up front (MAP_NORESERVE).
// Arguments and failure as for MemReserve. Go: sysAlloc.
void* MemMap(size_t bytes, size_t align);
// Gives address space back; any page range of what was reserved. Go: sysFree.
void MemUnmap(void* p, size_t bytes);
// Gives the pages' memory back; the addresses stay valid and read as zero. Guards persist. False:
// the kernel refused (an emulator that ignores the call), and the pages keep their contents.
// Go: sysUnused.
bool MemRelease(void* p, size_t bytes);
// Replaces pages by fresh ones: their memory, guards and protection go, and the page tables too,
// which MemRelease keeps. Advice (MemNoHugePage) is lost. False: the kernel refused; when a limit
// was the reason (mappings, locked memory) nothing has changed.
bool MemReset(void* p, size_t bytes);
// Makes pages inaccessible by changing their protection (splits the mapping). False: too many
// mappings (vm.max_map_count). MemCommit undoes it, and the contents are still there.
bool MemProtectNone(void* p, size_t bytes);
// Lightweight guard pages that do not split the mapping (Linux 6.13: MADV_GUARD_INSTALL): access
// faults with SIGSEGV, contents are lost. False: the kernel has none. What succeeds may still do
// nothing under an emulator: see MemGuardWorks.
bool MemGuardInstall(void* p, size_t bytes);
// n guards of `bytes` bytes, `stride` bytes apart, the first at p, in as few calls as the kernel
// takes (one for 64 since Linux 6.15). Returns how many, from the first, are in place.
size_t MemGuardInstallEach(void* p, size_t bytes, size_t stride, size_t n);
// Installs a guard on a page of its own, asks the kernel to read it, and tells whether that fails.
// Costs four system calls; call it once. False under valgrind.
bool MemGuardWorks();
// How many mappings a process may have (vm.max_map_count); 65530 when the kernel does not say.
size_t MemMaxMappings();
// Keeps transparent huge pages out of a range / lets them in. A hint.
void MemNoHugePage(void* p, size_t bytes);
void MemHugePage(void* p, size_t bytes);
// True when the byte at p (any address) can be read now. Another thread may change that at once.
bool MemReadable(const void* p);
// True when it cannot. Where the system does not let us ask in one call (a container's seccomp filter)
// the answer is false.
bool MemUnreadable(const void* p);
// Ends the process because the system refused bytes of memory (0: not known) for `what`, a few words:
// one line with the limits that hold for this process, and "fatal error: out of memory (<what>)".
[[noreturn]] void MemExhausted(const char* what, size_t bytes);

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_MEM_H_
