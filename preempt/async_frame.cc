#include "gort/preempt/async_frame.h"

#include <cstring>

#include "gort/platforms/signal.h"

namespace gort::rt {

void AsyncFrameRetarget(AsyncFrame* frame) {
  ucontext_t* uc = AsyncFrameContext(frame);
  SigSet mask;
  SigBlockAll(&mask);
  memcpy(&uc->uc_sigmask, &mask, kKernelSigSetBytes);
  void* lo;
  size_t bytes;
  SigStackGet(&lo, &bytes);
  uc->uc_stack.ss_sp = lo;
  uc->uc_stack.ss_size = bytes;
  uc->uc_stack.ss_flags = lo == nullptr ? SS_DISABLE : 0;
}

}  // namespace gort::rt
