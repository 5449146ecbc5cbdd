#include "gort/preempt/safe_point.h"

#include <link.h>

#include "gort/base/attributes.h"
#include "gort/base/bits.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/status.h"
#include "gort/preempt/arch.h"
#include "gort/preempt/blocked_call.h"
#include "gort/preempt/user_text.h"
#include "gort/traceback/unwind.h"

namespace gort::rt {
namespace {

// Room on the G's stack for gort_async_preempt2 and for what it calls before the G leaves the
// stack.
constexpr uintptr_t kRoom = GORT_ASAN ? 8 << 10 : 2 << 10;

// ---- whose code? ----

struct Judge {
  SafePoint answer = SafePoint::kSafe;
  int frames = 0;
  uintptr_t caller_sp = 0;  // where the innermost frame ends
  bool blocked = false;     // the G is at a system call, and no frame so far is the runtime's
};

bool JudgeFrame(const Frame& frame, void* arg) {
  Judge* j = static_cast<Judge*>(arg);
  if (++j->frames == 2) j->caller_sp = frame.sp;
  if (j->frames > kMaxWalk) {
    j->answer = SafePoint::kUnsure;
    return false;
  }
  TextClass cls;
  if (!UserTextLookup(frame.lookup_pc(), &cls)) {
    j->answer = SafePoint::kUnknown;
    return true;  // the walk goes on: one walk notes every frame that is unknown
  }
  if (cls == TextClass::kUser || (cls == TextClass::kCarrier && j->frames > 1)) return true;
  if (j->answer == SafePoint::kSafe) {
    j->answer = j->frames == 1 ? SafePoint::kNotText : SafePoint::kFrameBelow;
  }
  if (cls == TextClass::kRuntime) j->blocked = false;
  return j->blocked;
}

// ---- the thread's static TLS ----

// Bytes below and above the thread pointer; const after SafePointInit.
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

bool RegisterInTls(const SigCtx& ctx) {
  uintptr_t regs[SigCtx::kDwarfPc + 1];
  ctx.ToDwarf(regs);
  for (int i = 0; i < SigCtx::kDwarfPc; ++i) {
    if (InTls(regs[i])) return true;
  }
  return false;
}

// Whether a word of the frame from lo to hi points into the thread's static TLS. The frame is
// another function's, of which AddressSanitizer would report the reads.
GORT_NO_ASAN bool FrameInTls(uintptr_t lo, uintptr_t hi) {
  constexpr uintptr_t kMost = 4 << 10;  // of a larger frame the innermost part
  if (hi - lo > kMost) hi = lo + kMost;
  for (uintptr_t at = AlignUp(lo, sizeof(uintptr_t)); at + sizeof(uintptr_t) <= hi;
       at += sizeof(uintptr_t)) {
    if (InTls(*reinterpret_cast<const volatile uintptr_t*>(at))) return true;
  }
  return false;
}

}  // namespace

void SafePointInit() {
  // In a statically linked program the first walk makes libgcc sort its tables, in memory from
  // malloc. A signal handler must not do that, so the first walk is here.
  UnwindCurrent(
      0, [](const Frame&, void*) { return true; }, nullptr);
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

SafePoint JudgeSafePoint(const SigCtx& ctx, G* gp, size_t frame_bytes) {
  if (gp == nullptr || gp->goid == 0 || gp->foreign || gp->m == nullptr)
    return SafePoint::kNotUserG;
  M* mp = gp->m;
  if (mp->curg.load(std::memory_order_relaxed) != gp || ReadGStatus(gp) != kGRunning ||
      !gp->stack.Contains(ctx.sp())) {
    return SafePoint::kNotUserG;
  }
  if (mp->locks != 0 || mp->dying != 0) return SafePoint::kPinned;
  P* pp = mp->p.load(std::memory_order_relaxed);
  if (pp == nullptr || pp->m.load(std::memory_order_relaxed) != mp ||
      pp->status.load(std::memory_order_relaxed) != kPRunning) {
    return SafePoint::kNoP;
  }
  if (frame_bytes == 0 || ctx.sp() - gp->stack.lo < frame_bytes + kRoom) return SafePoint::kNoRoom;
  TextClass cls;
  Judge judge;
  judge.blocked = BlockedCallAt(ctx);
  // A walk begins in code that was looked up: other code may have tables that are wrong.
  if (!UserTextLookup(ctx.pc(), &cls)) return SafePoint::kUnknown;
  if (cls != TextClass::kUser && (!judge.blocked || cls == TextClass::kRuntime)) {
    return SafePoint::kNotText;
  }
  bool whole = UnwindSigCtx(ctx, &JudgeFrame, &judge);
  if (judge.answer == SafePoint::kUnknown) return judge.answer;
  if (judge.blocked) return whole ? SafePoint::kBlocked : SafePoint::kUnsure;
  if (judge.answer != SafePoint::kSafe) return judge.answer;
  if (!whole) return SafePoint::kUnsure;
  uintptr_t frame_end = judge.caller_sp > ctx.sp() && gp->stack.Contains(judge.caller_sp)
                            ? judge.caller_sp
                            : gp->stack.hi;
  if (RegisterInTls(ctx) || FrameInTls(ctx.sp() - arch::kRedZone, frame_end))
    return SafePoint::kPin;
  return SafePoint::kSafe;
}

const char* SafePointName(SafePoint p) {
  static constexpr const char* kNames[] = {
      "safe",    "safe on its thread", "blocked call", "no goroutine", "pinned", "no P", "no room",
      "runtime", "frame below",        "unsure",       "unknown"};
  static_assert(sizeof kNames / sizeof kNames[0] == static_cast<size_t>(SafePoint::kCount));
  return p < SafePoint::kCount ? kNames[static_cast<int>(p)] : "???";
}

}  // namespace gort::rt
