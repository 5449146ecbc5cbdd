// gmp/counts.h: what is counted all the time, for metrics.
// What      plain numbers, each written by one thread at a time, so that to count is one instruction.
//           Metrics read them while they are written: a moment's value, of whole words.
// Layer     4.                       Go: timeHistogram; differs: one for each P, added up when read
#ifndef GORT_GMP_COUNTS_H_
#define GORT_GMP_COUNTS_H_

#include <bit>
#include <cstdint>

#include "gort/gmp/wait_reason.h"

namespace gort::rt {

// How often something took how long. The buckets are four for each power of two of nanoseconds, from
// 256 ns to 17 s, one for less and one for more: what lies in one of the four differs by a quarter at most.
struct TimeCounts {
  static constexpr int kFirstBits = 8;
  static constexpr int kLastBits = 34;
  static constexpr int kParts = 4;
  static constexpr int kBuckets = (kLastBits - kFirstBits) * kParts + 2;

  uint64_t n[kBuckets] = {};
  uint64_t total_ns = 0;

  static constexpr int BucketOf(uint64_t ns) {
    const int bits = std::bit_width(ns);  // ns < 2^bits
    if (bits <= kFirstBits) return 0;
    if (bits > kLastBits) return kBuckets - 1;
    const auto part =
        static_cast<int>((ns >> (bits - 3)) % kParts);  // the two bits below the first
    return 1 + (bits - 1 - kFirstBits) * kParts + part;
  }
  // What lies in the bucket takes less; not of the last, which has no end.
  static constexpr uint64_t EndOf(int bucket) {
    const auto part = static_cast<uint64_t>(bucket % kParts);
    return (kParts + part) << (kFirstBits - 2 + bucket / kParts);
  }
  // One thread at a time.
  void Add(uint64_t ns) {
    ++n[BucketOf(ns)];
    total_ns += ns;
  }
};

// Of a P; written by its owner.
struct PCounts {
  uint32_t until_stamp =
      1;                    // wake-ups before the next that gets a time stamp (proc/time_to_run.cc)
  uint64_t created = 0;     // goroutines
  uint64_t syscalls = 0;    // of EnterSyscall and EnterSyscallBlock
  uint64_t handed_off = 0;  // how often it was handed to another M before a system call
  uint64_t steals = 0;      // successful looks into other Ps' queues
  uint64_t mutex_wait_ns = 0;
  uint64_t parks[static_cast<int>(WaitReason::kCount)] = {};
  TimeCounts time_to_run;
};

}  // namespace gort::rt

#endif  // GORT_GMP_COUNTS_H_
