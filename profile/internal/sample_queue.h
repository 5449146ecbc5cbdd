// profile/internal/sample_queue.h: from signal handlers to the thread that counts.
// What      a ring of places for stacks. Handlers of all threads put one in each, one thread takes them
//           out in order. A full ring refuses.
// How       the number of a place says whose turn it is there: 2 * lap for the writer of that lap, one
//           more for its reader (D. Vyukov's bounded queue). A handler blocks every signal, so none
//           interrupts another on its thread; one that the kernel holds up between its claim and
//           its publication keeps the reader back and no other handler.
// Layer     8. Claim and Publish: signal handlers. Take: one thread.
#ifndef GORT_PROFILE_INTERNAL_SAMPLE_QUEUE_H_
#define GORT_PROFILE_INTERNAL_SAMPLE_QUEUE_H_

#include <atomic>
#include <cstdint>

#include "gort/gmp/labels.h"
#include "gort/profile/internal/stack_table.h"

namespace gort::rt {

struct Sample {
  int n = 0;
  int ticks = 0;               // how many periods it stands for
  LabelSet* labels = nullptr;  // kept by the sample
  uintptr_t pcs[kMaxStack] = {};
};

class SampleQueue {
 public:
  constexpr SampleQueue() = default;
  SampleQueue(const SampleQueue&) = delete;
  SampleQueue& operator=(const SampleQueue&) = delete;

  // A place for a sample; null: the ring is full.
  Sample* Claim(uint64_t* ticket) {
    uint64_t at = tail_.load(std::memory_order_relaxed);
    while (true) {
      Place& place = places_[at % kPlaces];
      // pairs with: Take. The place is free for this lap, or still full, or somebody was faster.
      const uint64_t turn = place.turn.load(std::memory_order_acquire);
      const uint64_t mine = 2 * (at / kPlaces);
      if (turn < mine) return nullptr;
      if (turn == mine && tail_.compare_exchange_weak(at, at + 1, std::memory_order_relaxed)) {
        *ticket = at;
        return &place.sample;
      }
      if (turn != mine) at = tail_.load(std::memory_order_relaxed);
    }
  }
  void Publish(uint64_t ticket) {
    // pairs with: Take
    places_[ticket % kPlaces].turn.store(2 * (ticket / kPlaces) + 1, std::memory_order_release);
  }
  // Calls f(Sample&) with the next one, if there is one.
  template <class F>
  bool Take(F f) {
    Place& place = places_[head_ % kPlaces];
    const uint64_t mine = 2 * (head_ / kPlaces) + 1;
    if (place.turn.load(std::memory_order_acquire) != mine) return false;  // pairs with: Publish
    f(place.sample);
    place.turn.store(mine + 1, std::memory_order_release);  // pairs with: Claim
    ++head_;
    return true;
  }

 private:
  static constexpr uint64_t kPlaces = 1024;

  struct Place {
    std::atomic<uint64_t> turn{0};
    Sample sample;
  };

  std::atomic<uint64_t> tail_{0};
  uint64_t head_ = 0;  // owner: who takes
  Place places_[kPlaces];
};

}  // namespace gort::rt

#endif  // GORT_PROFILE_INTERNAL_SAMPLE_QUEUE_H_
