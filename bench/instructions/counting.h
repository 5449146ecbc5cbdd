// bench/instructions/counting.h: has callgrind count the instructions of a piece of a program.
// What      Count writes profiles of n operations and of 2n; what they differ by is the cost of n
//           without that of coming and going. Each is taken kRounds times, because other threads
//           (the monitor) add now and then what does not belong there; the smallest counts.
// Layer     any thread. Without callgrind the operations just run.
#ifndef GORT_BENCH_INSTRUCTIONS_COUNTING_H_
#define GORT_BENCH_INSTRUCTIONS_COUNTING_H_

#include <cstdint>
#include <string>

#include "gort/platforms/arch.h"

namespace gort::bench {

inline constexpr int kRounds = 5;

// Requests of callgrind's: 'C' 'T' and a number.
inline void ZeroCounts() { rt::arch::AskValgrind({0x43540001, 0, 0, 0, 0, 0}, 0); }
// Writes what has been counted since, with label in the profile's head.
inline void WriteCounts(const char* label) {
  rt::arch::AskValgrind({0x43540003, reinterpret_cast<uint64_t>(label), 0, 0, 0, 0}, 0);
}

// operations(n) does n operations; its profiles are labelled "name n".
template <class F>
void Count(const std::string& name, int64_t n, F operations) {
  operations(n);
  for (int round = 0; round < kRounds; ++round) {
    for (const int64_t size : {n, 2 * n}) {
      const std::string label = name + " " + std::to_string(size);
      ZeroCounts();
      operations(size);
      WriteCounts(label.c_str());
    }
  }
}

}  // namespace gort::bench

#endif  // GORT_BENCH_INSTRUCTIONS_COUNTING_H_
