#include "gort/preempt/async_frame.h"

#include <cstring>

#include "gort/base/bits.h"
#include "gort/platforms/signal.h"
#include "gort/preempt/async_offsets.h"

namespace gort::rt {
namespace {

// What the kernel writes and reads of a ucontext; the C library's type has more behind it.
constexpr size_t kKernelSigSet = 8;

}  // namespace

#if defined(__x86_64__)

namespace {

constexpr uintptr_t kRedZone = 128;
// The software-reserved bytes of the FXSAVE area (struct _fpx_sw_bytes in <asm/sigcontext.h>).
constexpr size_t kSwBytesAt = 464;
constexpr uint32_t kFpXstateMagic1 = 0x46505853;
constexpr size_t kFxsaveBytes = 512;
constexpr size_t kXsaveAlign = 64;
constexpr greg_t kDirectionFlag = 1 << 10;
constexpr greg_t kAlignmentCheck = 1 << 18;
constexpr size_t kUcBytes = offsetof(ucontext_t, uc_sigmask) + kKernelSigSet;

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
  uint64_t note;
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
  return kRedZone + fp + kXsaveAlign + sizeof(AsyncFrame) + 16;
}

void AsyncFramePush(SigCtx& ctx, uint64_t note) {
  ucontext_t* from = ctx.raw();
  size_t fp_bytes = FpBytes(ctx);
  uintptr_t fp = AlignDown(ctx.sp() - kRedZone - fp_bytes, kXsaveAlign);
  memcpy(reinterpret_cast<void*>(fp), from->uc_mcontext.fpregs, fp_bytes);
  uintptr_t at = AlignDown(fp - sizeof(AsyncFrame), 16);
  AsyncFrame* frame = reinterpret_cast<AsyncFrame*>(at);
  memcpy(frame->uc, from, kUcBytes);
  frame->context()->uc_mcontext.fpregs = reinterpret_cast<fpregset_t>(fp);
  frame->note = note;
  ctx.set_sp(at);
  ctx.set_pc(reinterpret_cast<uintptr_t>(&gort_async_preempt));
  // What the ABI promises a function; the interrupted values are in the copy.
  from->uc_mcontext.gregs[REG_EFL] &= ~(kDirectionFlag | kAlignmentCheck);
}

#elif defined(__aarch64__)

namespace {

constexpr size_t kSiginfoBytes = 128;
constexpr uint32_t kExtraMagic = 0x45585401;  // EXTRA_MAGIC: records beyond __reserved
constexpr uint64_t kBranchType = 3 << 10;     // PSTATE.BTYPE
constexpr size_t kReservedBytes = sizeof(ucontext_t::uc_mcontext.__reserved);

// One of the records in __reserved (struct _aarch64_ctx).
struct Record {
  uint32_t magic;
  uint32_t bytes;
};
struct ExtraRecord {
  Record head;
  uint64_t data;  // address: right after the terminator that ends __reserved, 16-byte aligned
  uint32_t bytes;
};

struct Records {
  bool ok = false;
  size_t bytes = 0;     // with the terminator
  size_t extra_at = 0;  // of the extra record in __reserved; 0: none
  ExtraRecord extra = {};
};

Records Parse(const char* reserved) {
  Records r;
  for (size_t at = 0; at + sizeof(Record) <= kReservedBytes;) {
    Record head;
    memcpy(&head, reserved + at, sizeof head);
    if (head.magic == 0) {
      r.ok = head.bytes == 0;
      r.bytes = at + 16;
      return r;
    }
    if (head.bytes < sizeof head || head.bytes % 16 != 0) return r;
    if (head.magic == kExtraMagic) {
      r.extra_at = at;
      memcpy(&r.extra, reserved + at, sizeof r.extra);
    }
    at += head.bytes;
  }
  return r;
}

}  // namespace

// What rt_sigreturn finds at the stack pointer.
struct AsyncFrame {
  uint64_t note;  // in the place of the siginfo_t, which rt_sigreturn does not read
  char siginfo_rest[kSiginfoBytes - sizeof(uint64_t)];
  ucontext_t uc;
  ucontext_t* context() { return &uc; }
};
static_assert(GORT_ASYNC_GREGS == offsetof(AsyncFrame, uc.uc_mcontext.regs),
              "edit GORT_ASYNC_GREGS");
static_assert(GORT_ASYNC_SP == offsetof(AsyncFrame, uc.uc_mcontext.sp), "edit GORT_ASYNC_SP");
static_assert(GORT_ASYNC_PC == offsetof(AsyncFrame, uc.uc_mcontext.pc), "edit GORT_ASYNC_PC");
static_assert(sizeof(AsyncFrame) % 16 == 0);

size_t AsyncFrameBytes(const SigCtx& ctx) {
  const char* reserved = reinterpret_cast<const char*>(ctx.raw()->uc_mcontext.__reserved);
  Records r = Parse(reserved);
  if (!r.ok) return 0;
  // The kernel insists on the extra data's place: after the terminator that follows the record.
  if (r.extra_at != 0 && r.extra.data != reinterpret_cast<uintptr_t>(reserved) + r.bytes) return 0;
  return sizeof(AsyncFrame) + (r.extra_at != 0 ? r.extra.bytes : 0) + 16;
}

void AsyncFramePush(SigCtx& ctx, uint64_t note) {
  ucontext_t* from = ctx.raw();
  const char* reserved = reinterpret_cast<const char*>(from->uc_mcontext.__reserved);
  Records r = Parse(reserved);
  size_t extra_bytes = r.extra_at != 0 ? r.extra.bytes : 0;
  uintptr_t at = AlignDown(ctx.sp() - sizeof(AsyncFrame) - extra_bytes, 16);
  AsyncFrame* frame = reinterpret_cast<AsyncFrame*>(at);
  frame->note = note;
  // The terminator and, behind it, the extra data: contiguous in the kernel's frame and in ours.
  memcpy(static_cast<void*>(&frame->uc), from,
         offsetof(ucontext_t, uc_mcontext.__reserved) + r.bytes + extra_bytes);
  if (r.extra_at != 0) {
    char* copy = reinterpret_cast<char*>(frame->uc.uc_mcontext.__reserved);
    r.extra.data = reinterpret_cast<uintptr_t>(copy) + r.bytes;
    memcpy(copy + r.extra_at, &r.extra, sizeof r.extra);
  }
  ctx.set_sp(at);
  ctx.set_pc(reinterpret_cast<uintptr_t>(&gort_async_preempt));
  from->uc_mcontext.pstate &= ~kBranchType;
}

#endif

uint64_t AsyncFrameNote(const AsyncFrame* frame) { return frame->note; }

ucontext_t* AsyncFrameContext(AsyncFrame* frame) { return frame->context(); }

void AsyncFrameRetarget(AsyncFrame* frame) {
  ucontext_t* uc = frame->context();
  SigSet mask = SigCurrentMask();
  memcpy(&uc->uc_sigmask, &mask, kKernelSigSet);
  void* lo;
  size_t bytes;
  SigStackGet(&lo, &bytes);
  uc->uc_stack.ss_sp = lo;
  uc->uc_stack.ss_size = bytes;
  uc->uc_stack.ss_flags = lo == nullptr ? SS_DISABLE : 0;
}

}  // namespace gort::rt
