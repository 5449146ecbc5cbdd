#include "gort/traceback/unwind.h"

#include <unwind.h>

#include "gort/base/attributes.h"
#include "gort/gmp/switch.h"
#include "gort/platforms/mem.h"
#include "gort/traceback/arch.h"
#include "gort/traceback/unwind_regs.h"

extern "C" {
int gort_unwind_from(const gort::rt::UnwindRegs* regs, _Unwind_Trace_Fn fn, void* arg);
int gort_unwind_from_signal(const gort::rt::UnwindRegs* regs, _Unwind_Trace_Fn fn, void* arg);
}

#ifdef GORT_STATIC_PROGRAM
// static_frames.cc's, ahead of libgcc's: the linker takes the first that somebody names.
extern "C" const void* _Unwind_Find_FDE(void* pc, void* bases);
__attribute__((used)) static const void* (*const gort_find_frame)(void*, void*) = &_Unwind_Find_FDE;
#endif

namespace gort::rt {
namespace {

static_assert(sizeof(UnwindRegs) == 8 * (GORT_UNWIND_PC + 1));

// A walk that goes wrong must not go on for ever.
constexpr int kMaxFrames = 1'000'000;

// Whether a walk has come back to where it was, as it does where a stack was overwritten: a handler
// that has left its signal stack at the lower end, and faults, finds its own frames there replaced.
class Circle {
 public:
  bool Closed(const Frame& frame, int depth) {
    if (frame.pc == mark_.pc && frame.sp == mark_.sp) return true;
    if ((depth & (depth - 1)) == 0) mark_ = frame;  // Brent's: at each power of two
    return false;
  }

 private:
  Frame mark_{0, 0, false};
};

struct Walk {
  FrameFn fn;
  void* arg;
  int skip;
  int depth;
  bool reached_end = false;  // of a goroutine's stack
  Circle circle{};
};

bool InGoexit(uintptr_t pc) {
  // The routine is a nop, a call and a trap, on every CPU.
  return pc - reinterpret_cast<uintptr_t>(&gort_goexit) < 16;
}

_Unwind_Reason_Code OnFrame(_Unwind_Context* context, void* arg) {
  Walk* walk = static_cast<Walk*>(arg);
  if (walk->skip > 0) {
    --walk->skip;
    return _URC_NO_REASON;
  }
  int exact = 0;
  uintptr_t pc = _Unwind_GetIPInfo(context, &exact);
  if (InGoexit(pc)) {
    walk->reached_end = true;
    return _URC_NORMAL_STOP;
  }
  if (pc == 0 || ++walk->depth > kMaxFrames) return _URC_NORMAL_STOP;
  Frame frame{pc, _Unwind_GetCFA(context), exact != 0};
  if (walk->circle.Closed(frame, walk->depth)) return _URC_NORMAL_STOP;
  return walk->fn(frame, walk->arg) ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

// No page of code begins so low.
bool IsCode(uintptr_t pc) { return pc >= 4096 && MemReadable(reinterpret_cast<void*>(pc)); }

}  // namespace

GORT_NOINLINE void UnwindCurrent(int skip, FrameFn fn, void* arg) {
  Walk walk{fn, arg, skip + 1, 0};  // and this function's own frame
  _Unwind_Backtrace(&OnFrame, &walk);
  asm volatile("" : : "r"(&walk) : "memory");  // not a tail call
}

void UnwindGobuf(const Gobuf& buf, FrameFn fn, void* arg) {
  if (buf.sp == 0 || FrameOf(buf)->pc == reinterpret_cast<uintptr_t>(&gort_gostart)) return;
  UnwindRegs regs(buf);
  Walk walk{fn, arg, 1, 0};  // gort_unwind_from
  gort_unwind_from(&regs, &OnFrame, &walk);
}

bool UnwindSigCtx(const SigCtx& ctx, FrameFn fn, void* arg) {
  UnwindRegs regs(ctx);
  Walk walk{fn, arg, 1, 0};
  if (IsCode(regs.pc())) {
    gort_unwind_from_signal(&regs, &OnFrame, &walk);
    return walk.reached_end;
  }
  if (!fn({regs.pc(), 0, true}, arg)) return false;
  // A call led to an address without code: the walk goes on where that call returns to.
  if (arch::PopReturn(regs.r)) gort_unwind_from(&regs, &OnFrame, &walk);
  return walk.reached_end;
}

namespace {

struct Pcs {
  uintptr_t* at;
  uintptr_t* end;
};

}  // namespace

GORT_NOINLINE int Callers(int skip, uintptr_t* pcs, int max) {
  Pcs out{pcs, pcs + max};
  if (max <= 0) return 0;
  UnwindCurrent(
      skip + 1,
      [](const Frame& frame, void* arg) {
        Pcs* p = static_cast<Pcs*>(arg);
        *p->at++ = frame.lookup_pc();
        return p->at != p->end;
      },
      &out);
  return static_cast<int>(out.at - pcs);
}

}  // namespace gort::rt
