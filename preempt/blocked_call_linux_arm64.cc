// preempt/blocked_call_linux_arm64.cc: system calls in the registers of arm64.
#include <sys/syscall.h>
#include <time.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "gort/platforms/mem.h"
#include "gort/preempt/blocked_call.h"

namespace gort::rt {
namespace {

constexpr unsigned char kSvc0[] = {0x01, 0x00, 0x00, 0xd4};
constexpr size_t kInsnBytes = sizeof kSvc0;
constexpr uintptr_t kPageBytes = 4096;
constexpr uint64_t kMostNumbers = 4096;  // more than there are calls

bool CodeIs(uintptr_t pc, const unsigned char* code, size_t n) {
  return memcmp(reinterpret_cast<const void*>(pc), code, n) == 0;
}

// Whether the thread is about to make a call. False in code that may be executed and not read.
bool AtCall(const SigCtx& ctx) {
  return ctx.raw()->uc_mcontext.regs[8] < kMostNumbers &&
         !MemUnreadable(reinterpret_cast<const void*>(ctx.pc())) &&
         CodeIs(ctx.pc(), kSvc0, kInsnBytes);
}

// Whether a signal ended clock_nanosleep for a time (not until one). x0, which held the clock, is
// overwritten; for a time any clock that runs will do.
bool EndedSleep(const SigCtx& ctx) {
  const auto& regs = ctx.raw()->uc_mcontext.regs;
  return regs[8] == SYS_clock_nanosleep && regs[0] == static_cast<uint64_t>(-EINTR) &&
         regs[1] == 0 && ctx.pc() % kPageBytes != 0 &&
         !MemUnreadable(reinterpret_cast<const void*>(ctx.pc())) &&
         CodeIs(ctx.pc() - kInsnBytes, kSvc0, kInsnBytes);
}

// Whether a signal ended a call of syscall(2).
bool EndedRepeatable(const SigCtx& ctx) {
  const auto& regs = ctx.raw()->uc_mcontext.regs;
  return ctx.pc() == reinterpret_cast<uintptr_t>(&gort_repeatable_call_end) &&
         regs[0] == static_cast<uint64_t>(-EINTR) && MayRepeat(regs[8]);
}

}  // namespace

BlockedCall BlockedCallOf(const SigCtx& ctx) {
  if (AtCall(ctx)) return {BlockedCall::State::kNext};
  if (EndedRepeatable(ctx)) {
    return {BlockedCall::State::kEnded, ctx.raw()->uc_mcontext.regs[19]};
  }
  if (EndedSleep(ctx)) return {BlockedCall::State::kEnded, CLOCK_MONOTONIC};
  return {};
}

void BlockedCallRewind(SigCtx& ctx, const BlockedCall& call) {
  ctx.raw()->uc_mcontext.regs[0] = call.overwritten;
  ctx.set_pc(ctx.pc() - kInsnBytes);
}

}  // namespace gort::rt
