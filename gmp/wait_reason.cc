#include "gort/gmp/wait_reason.h"

namespace gort::rt {

constexpr const char* const wait_reason_texts[] = {
    "",
    "chan receive (nil chan)",
    "chan send (nil chan)",
    "select",
    "select (no cases)",
    "chan receive",
    "chan send",
    "IO wait",
    "semacquire",
    "sleep",
    "sync.Cond.Wait",
    "sync.Mutex.Lock",
    "sync.RWMutex.Lock",
    "sync.RWMutex.RLock",
    "sync.WaitGroup.Wait",
    "sync.Once.Do",
    "sync.Semaphore.Acquire",
    "future",
    "force gc (idle)",
    "preempted",
    "stopping the world",
};
static_assert(sizeof wait_reason_texts / sizeof *wait_reason_texts ==
                  static_cast<int>(WaitReason::kCount),
              "edit wait_reason_texts together with WaitReason");

const char* WaitReasonText(WaitReason reason) {
  return reason < WaitReason::kCount ? wait_reason_texts[static_cast<int>(reason)]
                                     : "unknown wait reason";
}

}  // namespace gort::rt
