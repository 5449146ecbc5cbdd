// gmp/wait_reason.h: why a goroutine waits, in the words that tracebacks print.
// Layer     4. Constants only.                        Go: waitReasonStrings in runtime2.go
#ifndef GORT_GMP_WAIT_REASON_H_
#define GORT_GMP_WAIT_REASON_H_

#include <cstdint>

namespace gort::rt {

enum class WaitReason : uint8_t {
  kZero,
  kChanReceiveNil,
  kChanSendNil,
  kSelect,
  kSelectNoCases,
  kChanReceive,
  kChanSend,
  kIoWait,
  kSemAcquire,
  kSleep,
  kSyncCondWait,
  kSyncMutexLock,
  kSyncRWMutexLock,
  kSyncRWMutexRLock,
  kSyncWaitGroupWait,
  kSyncOnce,
  kSyncSemaphore,
  kFutureWait,
  kForceIdle,  // Seam: the goroutine that starts the collector
  kPreempted,  // Seam: a goroutine in kGPreempted
  kStoppingTheWorld,
  kCount,
};

// The texts, by number, for debuggers.
extern const char* const wait_reason_texts[];
// "chan receive", "select", …
const char* WaitReasonText(WaitReason reason);

}  // namespace gort::rt

#endif  // GORT_GMP_WAIT_REASON_H_
