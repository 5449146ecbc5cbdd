// tests/preempt/registers.h: every register at once, for a while.
// What      a way is a function that loads all registers from a State, counts `spins` down in
//           memory below the stack pointer (where there is a red zone: in it) or on the stack, and
//           stores all registers to the State again. Each is written in assembly
//           (registers_<cpu>.S) under a C++ name, so that it is user code like any other.
//           arch_<cpu>.h provides
//
//             State                        every register: gpr are the general ones, v the vectors
//             int Ways(Way* ways)          fills in up to kMaxWays ways that the CPU has; how many
//             void FixControl(State*)      makes random control words such as the CPU takes
//             bool ControlSame(a, b, way)  whether flags and control words came through
//
// Layer     tests only.
#ifndef GORT_TESTS_PREEMPT_REGISTERS_H_
#define GORT_TESTS_PREEMPT_REGISTERS_H_

#include <cstddef>
#include <cstdint>

namespace registers {

struct State;

inline constexpr int kMaxWays = 3;

struct Way {
  const char* name;
  void (*spin)(State* state, uint64_t spins);
  size_t vector_bytes;  // of each register in State::v
  int vectors;
  bool masks;    // mask registers too
  int not_kept;  // index in gpr of the register that it counts with; -1: none
};

}  // namespace registers

#endif  // GORT_TESTS_PREEMPT_REGISTERS_H_
