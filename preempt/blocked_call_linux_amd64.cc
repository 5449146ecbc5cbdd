// preempt/blocked_call_linux_amd64.cc: system calls in the registers of x86-64.
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "gort/preempt/blocked_call.h"

namespace gort::rt {
namespace {

constexpr size_t kInsnBytes = 2;         // syscall: 0f 05
constexpr unsigned char kMovEax = 0xb8;  // mov $number, %eax
constexpr size_t kMovBytes = 5;
constexpr uintptr_t kPageBytes = 4096;

// Reads the second byte only behind the first: an instruction of one byte may end the mapping.
bool IsSyscall(uintptr_t pc) {
  const auto* code = reinterpret_cast<const unsigned char*>(pc);
  return code[0] == 0x0f && code[1] == 0x05;
}

greg_t& Reg(ucontext_t* uc, int i) { return uc->uc_mcontext.gregs[i]; }

// The number of the call that has just returned EINTR; -1: none, or not known.
int64_t EndedCall(const SigCtx& ctx) {
  const uintptr_t pc = ctx.pc();
  if (Reg(ctx.raw(), REG_RAX) != -EINTR) return -1;
  // What lies before the first instruction of a page may be no memory.
  if (pc % kPageBytes < kInsnBytes + kMovBytes) return -1;
  if (!IsSyscall(pc - kInsnBytes)) return -1;
  const auto* mov = reinterpret_cast<const unsigned char*>(pc - kInsnBytes - kMovBytes);
  if (*mov != kMovEax) return -1;
  uint32_t number;
  memcpy(&number, mov + 1, sizeof number);
  return MayRepeat(number) ? static_cast<int64_t>(number) : -1;
}

}  // namespace

bool BlockedCallAt(const SigCtx& ctx) { return IsSyscall(ctx.pc()) || EndedCall(ctx) >= 0; }

void BlockedCallRewind(SigCtx& ctx) {
  if (IsSyscall(ctx.pc())) return;
  const int64_t number = EndedCall(ctx);
  if (number < 0) return;
  Reg(ctx.raw(), REG_RAX) = number;
  ctx.set_pc(ctx.pc() - kInsnBytes);
}

}  // namespace gort::rt
