#include "gort/gmp/wait_reason.h"

namespace gort::rt {
namespace {

constexpr const char* kText[] = {
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
static_assert(sizeof kText / sizeof *kText == static_cast<int>(WaitReason::kCount),
              "edit kText together with WaitReason");

}  // namespace

const char* WaitReasonText(WaitReason reason) {
  return reason < WaitReason::kCount ? kText[static_cast<int>(reason)] : "unknown wait reason";
}

}  // namespace gort::rt
