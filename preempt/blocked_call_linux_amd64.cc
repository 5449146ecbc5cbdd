// preempt/blocked_call_linux_amd64.cc: system calls in the registers of x86-64.
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "gort/preempt/blocked_call.h"

namespace gort::rt {
namespace {

constexpr unsigned char kSyscallInsn[] = {0x0f, 0x05};
constexpr size_t kInsnBytes = sizeof kSyscallInsn;
constexpr unsigned char kMovEax = 0xb8;  // mov $number, %eax
constexpr size_t kMovBytes = 5;

bool CodeIs(uintptr_t pc, const unsigned char* code, size_t n) {
  return memcmp(reinterpret_cast<const void*>(pc), code, n) == 0;
}

greg_t& Reg(ucontext_t* uc, int i) { return uc->uc_mcontext.gregs[i]; }

// The number of the call that has just returned EINTR; -1: none, or not known.
int64_t EndedCall(const SigCtx& ctx) {
  uintptr_t pc = ctx.pc();
  if (Reg(ctx.raw(), REG_RAX) != -EINTR) return -1;
  if (!CodeIs(pc - kInsnBytes, kSyscallInsn, kInsnBytes)) return -1;
  const auto* mov = reinterpret_cast<const unsigned char*>(pc - kInsnBytes - kMovBytes);
  if (*mov != kMovEax) return -1;
  uint32_t number;
  memcpy(&number, mov + 1, sizeof number);
  return number;
}

}  // namespace

bool BlockedCallAt(const SigCtx& ctx) {
  if (CodeIs(ctx.pc(), kSyscallInsn, kInsnBytes)) {
    return BlockedCallIs(static_cast<uint64_t>(Reg(ctx.raw(), REG_RAX)));
  }
  int64_t ended = EndedCall(ctx);
  return ended >= 0 && BlockedCallIs(static_cast<uint64_t>(ended));
}

void BlockedCallRewind(SigCtx& ctx) {
  if (CodeIs(ctx.pc(), kSyscallInsn, kInsnBytes)) return;
  Reg(ctx.raw(), REG_RAX) = EndedCall(ctx);
  ctx.set_pc(ctx.pc() - kInsnBytes);
}

void BlockedCallMake(ucontext_t* uc) {
  int64_t result = Reg(uc, REG_RAX);
  register int64_t r10 asm("r10") = Reg(uc, REG_R10);
  register int64_t r8 asm("r8") = Reg(uc, REG_R8);
  register int64_t r9 asm("r9") = Reg(uc, REG_R9);
  asm volatile("syscall"
               : "+a"(result)
               : "D"(Reg(uc, REG_RDI)), "S"(Reg(uc, REG_RSI)), "d"(Reg(uc, REG_RDX)), "r"(r10),
                 "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  Reg(uc, REG_RAX) = result;
  Reg(uc, REG_RIP) += kInsnBytes;
}

}  // namespace gort::rt
