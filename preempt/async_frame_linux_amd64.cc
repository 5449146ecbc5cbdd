// preempt/async_frame_linux_amd64.cc: the kernel's signal frame on x86-64: a ucontext, and
// elsewhere an XSAVE area that the ucontext points to.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "gort/base/bits.h"
#include "gort/preempt/arch.h"
#include "gort/preempt/async_frame.h"

namespace gort::rt {
namespace {

// The software-reserved bytes of the FXSAVE area (struct _fpx_sw_bytes in <asm/sigcontext.h>).
constexpr size_t kSwBytesAt = 464;
constexpr uint32_t kFpXstateMagic1 = 0x46505853;
constexpr size_t kFxsaveBytes = 512;
constexpr size_t kXsaveAlign = 64;
constexpr greg_t kDirectionFlag = 1 << 10;
constexpr greg_t kAlignmentCheck = 1 << 18;
constexpr size_t kUcBytes = offsetof(ucontext_t, uc_sigmask) + kKernelSigSetBytes;

size_t FpBytes(const SigCtx& ctx) {
  const char* fp = reinterpret_cast<const char*>(ctx.raw()->uc_mcontext.fpregs);
  if (fp == nullptr) return 0;
  uint32_t magic;
  uint32_t extended_bytes;
  memcpy(&magic, fp + kSwBytesAt, sizeof magic);
  memcpy(&extended_bytes, fp + kSwBytesAt + 4, sizeof extended_bytes);
  return magic == kFpXstateMagic1 ? extended_bytes : kFxsaveBytes;
}

}  // namespace

// rt_sigreturn finds the ucontext at the stack pointer: it takes the 8 bytes below for the return
// address that a handler has popped. So calls made from gort_async_preempt do not touch it.
struct AsyncFrame {
  alignas(16) char uc[kUcBytes];
  ucontext_t* context() { return reinterpret_cast<ucontext_t*>(uc); }
};
constexpr size_t kGregAt = offsetof(ucontext_t, uc_mcontext.gregs);
static_assert(kUcBytes == 304);
static_assert(GORT_ASYNC_GREGS == kGregAt, "edit GORT_ASYNC_GREGS");
static_assert(GORT_ASYNC_SP == kGregAt + 8 * REG_RSP, "edit GORT_ASYNC_SP");
static_assert(GORT_ASYNC_PC == kGregAt + 8 * REG_RIP, "edit GORT_ASYNC_PC");

size_t AsyncFrameBytes(const SigCtx& ctx) {
  size_t fp = FpBytes(ctx);
  if (fp == 0) return 0;
  return arch::kRedZone + fp + kXsaveAlign + sizeof(AsyncFrame) + 16;
}

void AsyncFramePush(SigCtx& ctx) {
  ucontext_t* from = ctx.raw();
  size_t fp_bytes = FpBytes(ctx);
  uintptr_t fp = AlignDown(ctx.sp() - arch::kRedZone - fp_bytes, kXsaveAlign);
  memcpy(reinterpret_cast<void*>(fp), from->uc_mcontext.fpregs, fp_bytes);
  uintptr_t at = AlignDown(fp - sizeof(AsyncFrame), 16);
  AsyncFrame* frame = reinterpret_cast<AsyncFrame*>(at);
  memcpy(frame->uc, from, kUcBytes);
  frame->context()->uc_mcontext.fpregs = reinterpret_cast<fpregset_t>(fp);
  ctx.set_sp(at);
  ctx.set_pc(reinterpret_cast<uintptr_t>(&gort_async_preempt));
  // What the ABI promises a function; the interrupted values are in the copy.
  from->uc_mcontext.gregs[REG_EFL] &= ~(kDirectionFlag | kAlignmentCheck);
}

ucontext_t* AsyncFrameContext(AsyncFrame* frame) { return frame->context(); }

}  // namespace gort::rt
