// proc/steal_order.h: visiting all Ps in an order that is different each time, without memory.
// What      From a random start, steps of a length coprime to n reach each of 0 .. n-1 once.
//           Neighbours in one order are not neighbours in the next, so thieves do not queue up
//           behind each other at the same victims.
// Layer     6, used by proc only. Any stack; allocates nothing.   Go: randomOrder in proc.go
// Fields    written by Reset, with the world stopped; read by any M that holds a P.
#ifndef GORT_PROC_STEAL_ORDER_H_
#define GORT_PROC_STEAL_ORDER_H_

#include <cstdint>
#include <numeric>

#include "gort/gmp/sched.h"

namespace gort::rt {

class StealOrder {
 public:
  // for (auto e = order.Start(rand.Next()); !e.Done(); e.Next()) Look(e.Position());
  class Enumerator {
   public:
    bool Done() const { return left_ == 0; }
    void Next() {
      left_--;
      position_ += step_;
      if (position_ >= count_) position_ -= count_;
    }
    uint32_t Position() const { return position_; }

   private:
    friend class StealOrder;
    uint32_t left_ = 0;
    uint32_t count_ = 0;
    uint32_t position_ = 0;
    uint32_t step_ = 0;  // <= count_
  };

  constexpr StealOrder() = default;

  // From now on enumerates 0 .. n-1, n <= kMaxProcs. O(n log n).
  // Requires: the world is stopped. Go: randomOrder.reset
  constexpr void Reset(uint32_t n) {
    count_ = n;
    n_steps_ = 0;
    for (uint32_t i = 1; i <= n; i++) {
      if (std::gcd(i, n) == 1) steps_[n_steps_++] = static_cast<uint16_t>(i);
    }
  }

  // Each seed stands for one order; seeds that are equal modulo n * phi(n) for the same one. With
  // n == 0 it is done at once. Go: randomOrder.start
  Enumerator Start(uint32_t seed) const {
    Enumerator e;
    if (count_ == 0) return e;
    e.left_ = e.count_ = count_;
    e.position_ = seed % count_;
    e.step_ = steps_[seed / count_ % n_steps_];
    return e;
  }

 private:
  uint32_t count_ = 0;
  uint32_t n_steps_ = 0;
  uint16_t steps_[kMaxProcs] = {};  // all that are coprime to count_
};

}  // namespace gort::rt

#endif  // GORT_PROC_STEAL_ORDER_H_
