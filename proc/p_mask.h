// proc/p_mask.h: one bit for each P.
// What      the set of idle Ps, in a few words instead of a cache line of each P.
// Layer     6, used by proc only. Any stack, any thread.           Go: pMask in proc.go
// Ordering  All accesses are seq_cst, because the bits are part of the wake-up protocol
//           (tests/model/README.md): M 1 clears its idle bit, publishes a G and then reads
//           nmspinning > 0; then M 2, which lowers nmspinning afterwards, reads the bit as cleared.
//           On amd64 a seq_cst load or read-modify-write costs what a weaker one does.
#ifndef GORT_PROC_P_MASK_H_
#define GORT_PROC_P_MASK_H_

#include <cstdint>

#include "gort/base/atomics.h"
#include "gort/gmp/sched.h"

namespace gort::rt {

class PMask {
 public:
  constexpr PMask() = default;
  PMask(const PMask&) = delete;
  PMask& operator=(const PMask&) = delete;

  // Requires (all three): 0 <= id < kMaxProcs. Go: pMask.read, set, clear
  bool Read(int32_t id) const { return (Word(id).load() & Bit(id)) != 0; }
  void Set(int32_t id) { words_[Index(id)].fetch_or(Bit(id)); }
  void Clear(int32_t id) { words_[Index(id)].fetch_and(~Bit(id)); }

 private:
  static constexpr uint32_t kBits = 64;
  static_assert(kMaxProcs % kBits == 0);

  static uint32_t Index(int32_t id) { return static_cast<uint32_t>(id) / kBits; }
  static uint64_t Bit(int32_t id) { return uint64_t{1} << (static_cast<uint32_t>(id) % kBits); }
  const Atomic<uint64_t>& Word(int32_t id) const { return words_[Index(id)]; }

  Atomic<uint64_t> words_[kMaxProcs / kBits] = {};  // atomic (seq_cst, see above)
};

}  // namespace gort::rt

#endif  // GORT_PROC_P_MASK_H_
