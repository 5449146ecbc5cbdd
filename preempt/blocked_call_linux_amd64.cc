// preempt/blocked_call_linux_amd64.cc: system calls in the registers of x86-64.
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "gort/platforms/mem.h"
#include "gort/preempt/blocked_call.h"

namespace gort::rt {
namespace {

constexpr size_t kInsnBytes = 2;         // syscall: 0f 05
constexpr unsigned char kMovEax = 0xb8;  // mov $number, %eax
constexpr size_t kMovBytes = 5;
constexpr size_t kLongestLoad = 5;
constexpr uintptr_t kPageBytes = 4096;
// The kernel's numbers are small; what else a register holds is hardly so.
constexpr uint64_t kMostNumbers = 1000;

// Reads the second byte only behind the first: an instruction of one byte may end the mapping.
bool IsSyscall(uintptr_t pc) {
  const auto* code = reinterpret_cast<const unsigned char*>(pc);
  return code[0] == 0x0f && code[1] == 0x05;
}

greg_t& Reg(ucontext_t* uc, int i) { return uc->uc_mcontext.gregs[i]; }

// Whether the thread is about to make a call. Code that may be executed and not read makes none that
// is seen.
bool AtCall(const SigCtx& ctx) {
  const uint64_t number = static_cast<uint64_t>(Reg(ctx.raw(), REG_RAX));
  return number < kMostNumbers && !MemUnreadable(reinterpret_cast<const void*>(ctx.pc())) &&
         IsSyscall(ctx.pc());
}

// Whether the n bytes before `end` are one instruction that loads a register other than rax from the
// stack, or nothing. A compiler may put one between the number and the call.
bool IsLoad(const unsigned char* end, size_t n) {
  if (n == 0) return true;
  const unsigned char* at = end - n;
  bool upper = false;  // r8 to r15
  if ((*at & 0xf0) == 0x40) {
    upper = (*at & 0x04) != 0;
    ++at;
  }
  // mov disp8(%rsp), reg or mov (%rsp), reg
  const bool disp8 = end - at == 4 && (at[1] & 0xc7) == 0x44;
  const bool no_disp = end - at == 3 && (at[1] & 0xc7) == 0x04;
  return (disp8 || no_disp) && at[0] == 0x8b && at[2] == 0x24 && (upper || (at[1] & 0x38) != 0);
}

// The register from which the instruction before `end`, mov %reg, %eax, copies the number; -1: none,
// or one that the call has overwritten. Compilers keep a number there over a loop.
int NumberRegister(const unsigned char* end) {
  static constexpr int kRegisters[] = {-1,      -1,      REG_RDX, REG_RBX, -1,      REG_RBP,
                                       REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, -1,
                                       REG_R12, REG_R13, REG_R14, REG_R15};
  constexpr unsigned char kMovToRm = 0x89;
  if (end[-2] != kMovToRm || (end[-1] & 0xc7) != 0xc0) return -1;
  const bool upper = end[-3] == 0x44;  // r8 to r15
  return kRegisters[((end[-1] >> 3) & 7) + (upper ? 8 : 0)];
}

// The number of the call that has just returned EINTR; -1: none, or not known.
int64_t EndedCall(const SigCtx& ctx) {
  const uintptr_t pc = ctx.pc();
  if (Reg(ctx.raw(), REG_RAX) != -EINTR) return -1;
  if (pc == reinterpret_cast<uintptr_t>(&gort_repeatable_call_end)) {
    const int64_t number = Reg(ctx.raw(), REG_RBX);
    return MayRepeat(static_cast<uint64_t>(number)) ? number : -1;
  }
  // What lies before the first instruction of a page may be no memory.
  if (pc % kPageBytes < kInsnBytes + kLongestLoad + kMovBytes) return -1;
  if (MemUnreadable(reinterpret_cast<const void*>(pc))) return -1;
  if (!IsSyscall(pc - kInsnBytes)) return -1;
  const auto* end = reinterpret_cast<const unsigned char*>(pc - kInsnBytes);
  for (size_t n = 0; n <= kLongestLoad; ++n) {
    const unsigned char* mov = end - n - kMovBytes;
    if (*mov != kMovEax || !IsLoad(end, n)) continue;
    uint32_t number;
    memcpy(&number, mov + 1, sizeof number);
    return MayRepeat(number) ? static_cast<int64_t>(number) : -1;
  }
  const int from = NumberRegister(end);
  if (from < 0) return -1;
  const auto number = static_cast<uint64_t>(Reg(ctx.raw(), from));
  return number < kMostNumbers && MayRepeat(number) ? static_cast<int64_t>(number) : -1;
}

}  // namespace

BlockedCall BlockedCallOf(const SigCtx& ctx) {
  if (AtCall(ctx)) return {BlockedCall::State::kNext};
  const int64_t number = EndedCall(ctx);
  if (number < 0) return {};
  return {BlockedCall::State::kEnded, static_cast<uint64_t>(number)};
}

void BlockedCallRewind(SigCtx& ctx, const BlockedCall& call) {
  Reg(ctx.raw(), REG_RAX) = static_cast<greg_t>(call.overwritten);
  ctx.set_pc(ctx.pc() - kInsnBytes);
}

}  // namespace gort::rt
