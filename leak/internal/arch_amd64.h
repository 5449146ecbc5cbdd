// leak/internal/arch_amd64.h: what leak asks of x86-64.
// Layer     9. Package-internal. Included as "gort/leak/internal/arch.h".
#ifndef GORT_LEAK_INTERNAL_ARCH_AMD64_H_
#define GORT_LEAK_INTERNAL_ARCH_AMD64_H_

#include <cstdint>
#include <cstring>

namespace gort::rt::arch {

// Whether a thread that was interrupted at pc was in a system call: pc is behind the instruction, or at
// it when the call is to be made again.
inline bool InSystemCall(uintptr_t pc) {
  constexpr unsigned char kCode[] = {0x0f, 0x05};
  const auto* at = reinterpret_cast<const unsigned char*>(pc);
  return memcmp(at - sizeof kCode, kCode, sizeof kCode) == 0 ||
         memcmp(at, kCode, sizeof kCode) == 0;
}

}  // namespace gort::rt::arch

#endif  // GORT_LEAK_INTERNAL_ARCH_AMD64_H_
