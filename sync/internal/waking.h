// sync/internal/waking.h: one goroutine that waits for one call.
// What      a Waking stands in the frame that waits. Whoever finds it, in a word or a list, takes it
//           out and calls Wake, once; the frame stays until then. Await may come before or after.
// Layer     10.
// Contract  | call  | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | Await |   x    | -  |  -   |    -    |    x    |   x   |     -     |
//           | Wake  |   x    | x  |  x   |    -    |    x    |   -   |     -     |
#ifndef GORT_SYNC_INTERNAL_WAKING_H_
#define GORT_SYNC_INTERNAL_WAKING_H_

#include <atomic>
#include <cstdint>

#include "gort/proc/proc.h"

namespace gort::rt {

class Waking {
 public:
  Waking() : gp_(CurrentG()) {}
  Waking(const Waking&) = delete;
  Waking& operator=(const Waking&) = delete;

  // Returns once Wake has been called.
  void Await(WaitReason reason) {
    // pairs with: Wake
    if (phase_.load(std::memory_order_acquire) != kWoken) GoPark(&Parked, &phase_, reason);
  }
  // The goroutine that has to be readied; null: it does not wait yet, and will not.
  G* Wake() {
    G* gp = gp_;
    // pairs with: Await, Parked. From here on this object may be gone.
    return phase_.exchange(kWoken, std::memory_order_acq_rel) == kParked ? gp : nullptr;
  }

 private:
  enum Phase : uint32_t { kAwake, kParked, kWoken };

  // Once the exchange is done the goroutine may go on, and its frame with the phase may be gone.
  static bool Parked(G*, void* phase) {
    uint32_t awake = kAwake;
    return static_cast<std::atomic<uint32_t>*>(phase)->compare_exchange_strong(
        awake, kParked, std::memory_order_acq_rel, std::memory_order_acquire);  // pairs with: Wake
  }

  G* const gp_;
  std::atomic<uint32_t> phase_{kAwake};
};

}  // namespace gort::rt

#endif  // GORT_SYNC_INTERNAL_WAKING_H_
