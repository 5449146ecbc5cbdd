#include "gort/preempt/thread_registers.h"

#include <link.h>

#include "gort/base/bits.h"
#include "gort/preempt/arch.h"

namespace gort::rt {
namespace {

// Bytes below and above the thread pointer; const after ThreadRegistersInit.
constinit uintptr_t tls_below = 0;
constinit uintptr_t tls_above = 0;

// The C library keeps a record of the thread beside the thread pointer: 2304 bytes in glibc 2.36.
constexpr uintptr_t kThreadRecord = 4096;
// The loader keeps some room for libraries that are loaded later.
constexpr uintptr_t kTlsSurplus = 4096;

bool InTls(uintptr_t word) {
  uintptr_t tp = reinterpret_cast<uintptr_t>(__builtin_thread_pointer());
  return word >= tp - tls_below && word < tp + tls_above;
}

}  // namespace

bool RegisterPointsToThread(const SigCtx& ctx) {
  uintptr_t regs[SigCtx::kDwarfPc + 1];
  ctx.ToDwarf(regs);
  for (int i = 0; i < SigCtx::kDwarfPc; ++i) {
    if (InTls(regs[i])) return true;
  }
  return false;
}

void ThreadRegistersInit() {
  uintptr_t total = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* arg) {
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const ElfW(Phdr)& ph = info->dlpi_phdr[i];
          if (ph.p_type == PT_TLS) {
            *static_cast<uintptr_t*>(arg) += AlignUp(ph.p_memsz, ph.p_align != 0 ? ph.p_align : 1);
          }
        }
        return 0;
      },
      &total);
  tls_below = arch::kTlsBelow ? total + kTlsSurplus : kThreadRecord;
  tls_above = arch::kTlsBelow ? kThreadRecord : total + kTlsSurplus;
}

}  // namespace gort::rt
