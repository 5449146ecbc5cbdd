// platforms/mem.h: address space and pages from the OS.
// What      reserve, commit, release, guard. Sizes in bytes; addresses and sizes must be multiples
//           of PageSize() unless said otherwise.
// Layer     2. Any thread, any stack; async-signal-safe; errno is left as it was.
// Errors    null or false, and the caller decides; ranges that the caller does not own are misuse.
//           See mmap(2), madvise(2).
#ifndef GORT_PLATFORMS_MEM_H_
#define GORT_PLATFORMS_MEM_H_

#include <cstddef>

namespace gort::rt {

// Bytes in a page (4096 on amd64; 4096, 16384 or 65536 on arm64). Reads the auxiliary vector once.
size_t PageSize();
// Bytes in a transparent huge page, 0 when the kernel has none.
size_t HugePageSize();

// Reserves bytes of inaccessible address space, aligned to align (a power of two). Null: none left.
void* MemReserve(size_t bytes, size_t align);
// Makes reserved pages readable and writable (zero-filled on first touch). False: out of memory.
bool MemCommit(void* p, size_t bytes);
// Reserves and commits in one mapping that the kernel does not charge for up front (MAP_NORESERVE).
void* MemMap(size_t bytes, size_t align);
// Gives address space back.
void MemUnmap(void* p, size_t bytes);
// Gives the pages' memory back; the addresses stay valid and read as zero. Guards persist.
void MemRelease(void* p, size_t bytes);
// Makes pages inaccessible by changing their protection (splits the mapping). False: too many
// mappings.
bool MemProtectNone(void* p, size_t bytes);
bool MemUnprotect(void* p, size_t bytes);
// Lightweight guard pages that do not split the mapping (Linux 6.13: MADV_GUARD_INSTALL).
// False: the kernel has none. What succeeds may still do nothing under an emulator: see
// MemGuardWorks.
bool MemGuardInstall(void* p, size_t bytes);
void MemGuardRemove(void* p, size_t bytes);
// Installs a guard, touches it, and tells whether it faults. Not async-signal-safe: forks nothing,
// but asks the kernel to read the page on our behalf.
bool MemGuardWorks();
// Keeps transparent huge pages out of a range / lets them in.
void MemNoHugePage(void* p, size_t bytes);
void MemHugePage(void* p, size_t bytes);
// True when the byte at p can be read.
bool MemReadable(const void* p);

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_MEM_H_
