// preempt/async_frame_linux_arm64.cc: the kernel's signal frame on arm64: a siginfo_t and a
// ucontext whose __reserved bytes hold a record for each kind of vector state.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "gort/base/bits.h"
#include "gort/preempt/arch.h"
#include "gort/preempt/async_frame.h"

namespace gort::rt {
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

void AsyncFramePush(SigCtx& ctx) {
  ucontext_t* from = ctx.raw();
  const char* reserved = reinterpret_cast<const char*>(from->uc_mcontext.__reserved);
  Records r = Parse(reserved);
  size_t extra_bytes = r.extra_at != 0 ? r.extra.bytes : 0;
  uintptr_t at = AlignDown(ctx.sp() - sizeof(AsyncFrame) - extra_bytes, 16);
  AsyncFrame* frame = reinterpret_cast<AsyncFrame*>(at);
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

ucontext_t* AsyncFrameContext(AsyncFrame* frame) { return frame->context(); }

}  // namespace gort::rt
