#include "gort/preempt/blocked_call.h"

#include <sys/syscall.h>
#include <time.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace gort::rt {
namespace {

constexpr long kCalls[] = {
    SYS_futex,
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_sendto,
    SYS_sendmsg,
    SYS_accept,
    SYS_accept4,
    SYS_connect,
    SYS_flock,
    SYS_fcntl,
    SYS_wait4,
    SYS_waitid,
    SYS_openat,
    SYS_fsync,
    SYS_fdatasync,
    SYS_ppoll,
    SYS_pselect6,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_epoll_pwait,
    SYS_rt_sigtimedwait,
#if defined(__x86_64__)
    SYS_open,
    SYS_poll,
    SYS_select,
    SYS_epoll_wait,
#endif
};

bool IsBlocking(uint64_t number) {
  for (long call : kCalls) {
    if (number == static_cast<uint64_t>(call)) return true;
  }
  return false;
}

bool CodeIs(uintptr_t pc, const unsigned char* code, size_t n) {
  return memcmp(reinterpret_cast<const void*>(pc), code, n) == 0;
}

}  // namespace

#if defined(__x86_64__)

namespace {

constexpr unsigned char kSyscallInsn[] = {0x0f, 0x05};
constexpr size_t kInsnBytes = sizeof kSyscallInsn;
constexpr unsigned char kMovEax = 0xb8;  // mov $number, %eax
constexpr size_t kMovBytes = 5;

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
    return IsBlocking(static_cast<uint64_t>(Reg(ctx.raw(), REG_RAX)));
  }
  int64_t ended = EndedCall(ctx);
  return ended >= 0 && IsBlocking(static_cast<uint64_t>(ended));
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

#elif defined(__aarch64__)

namespace {

constexpr unsigned char kSvc0[] = {0x01, 0x00, 0x00, 0xd4};
constexpr size_t kInsnBytes = sizeof kSvc0;

}  // namespace

namespace {

// clock_nanosleep for a time, not until one, ended by a signal. Which clock it was is gone with x0,
// and for a time any clock that runs will do.
bool EndedSleep(const SigCtx& ctx) {
  const auto& regs = ctx.raw()->uc_mcontext.regs;
  return regs[8] == SYS_clock_nanosleep && regs[0] == static_cast<uint64_t>(-EINTR) &&
         regs[1] == 0 && CodeIs(ctx.pc() - kInsnBytes, kSvc0, kInsnBytes);
}

}  // namespace

bool BlockedCallAt(const SigCtx& ctx) {
  if (!CodeIs(ctx.pc(), kSvc0, kInsnBytes)) return EndedSleep(ctx);
  return IsBlocking(ctx.raw()->uc_mcontext.regs[8]);
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

#endif

}  // namespace gort::rt
