// preempt/blocked_call_linux_arm64.cc: system calls in the registers of arm64.
#include <sys/syscall.h>
#include <time.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "gort/preempt/blocked_call.h"

namespace gort::rt {
namespace {

constexpr unsigned char kSvc0[] = {0x01, 0x00, 0x00, 0xd4};
constexpr size_t kInsnBytes = sizeof kSvc0;

bool CodeIs(uintptr_t pc, const unsigned char* code, size_t n) {
  return memcmp(reinterpret_cast<const void*>(pc), code, n) == 0;
}

// Whether a signal ended clock_nanosleep for a time (not until one). x0, which held the clock, is
// overwritten; for a time any clock that runs will do.
bool EndedSleep(const SigCtx& ctx) {
  const auto& regs = ctx.raw()->uc_mcontext.regs;
  return regs[8] == SYS_clock_nanosleep && regs[0] == static_cast<uint64_t>(-EINTR) &&
         regs[1] == 0 && CodeIs(ctx.pc() - kInsnBytes, kSvc0, kInsnBytes);
}

}  // namespace

bool BlockedCallAt(const SigCtx& ctx) {
  if (!CodeIs(ctx.pc(), kSvc0, kInsnBytes)) return EndedSleep(ctx);
  return BlockedCallIs(ctx.raw()->uc_mcontext.regs[8]);
}

void BlockedCallRewind(SigCtx& ctx) {
  if (CodeIs(ctx.pc(), kSvc0, kInsnBytes)) return;
  ctx.raw()->uc_mcontext.regs[0] = CLOCK_MONOTONIC;
  ctx.set_pc(ctx.pc() - kInsnBytes);
}

void BlockedCallMake(ucontext_t* uc) {
  auto& regs = uc->uc_mcontext.regs;
  register uint64_t x8 asm("x8") = regs[8];
  register uint64_t x0 asm("x0") = regs[0];
  register uint64_t x1 asm("x1") = regs[1];
  register uint64_t x2 asm("x2") = regs[2];
  register uint64_t x3 asm("x3") = regs[3];
  register uint64_t x4 asm("x4") = regs[4];
  register uint64_t x5 asm("x5") = regs[5];
  asm volatile("svc #0"
               : "+r"(x0)
               : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
               : "memory");
  regs[0] = x0;
  uc->uc_mcontext.pc += kInsnBytes;
}

}  // namespace gort::rt
