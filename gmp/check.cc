#include "gort/gmp/check.h"

#include <atomic>
#include <cstdint>

#include "gort/base/throw.h"
#include "gort/gmp/arch.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/switch.h"

namespace gort::rt {
namespace {

void CheckTypes() {
  static_assert(sizeof(void*) == 8 && sizeof(uintptr_t) == 8, "gort needs 64-bit addresses");
  static_assert(std::atomic<uint64_t>::is_always_lock_free && std::atomic<G*>::is_always_lock_free);
  if (reinterpret_cast<uintptr_t>(&g0) % alignof(G) != 0) Throw("check: g0 is not aligned");
}

void CheckAtomics() {
  std::atomic<uint32_t> v{1};
  uint32_t expected = 1;
  if (!v.compare_exchange_strong(expected, 2) || v.load() != 2) Throw("check: cas1");
  expected = 1;
  if (v.compare_exchange_strong(expected, 3) || expected != 2) Throw("check: cas2");
  if (v.exchange(~uint32_t{0}) != 2 || v.fetch_add(1) != ~uint32_t{0} || v.load() != 0)
    Throw("check: xadd");
}

// A context made by hand and entered by gort_switch finds its function, its argument and an aligned
// stack, and comes back with callee-saved registers and the FP control words intact.
struct Round {
  uintptr_t back = 0;
  uintptr_t there = 0;
  bool aligned = false;
};

void OtherSide(void* p) {
  auto* round = static_cast<Round*>(p);
  alignas(16) volatile char probe[16] = {};
  round->aligned = reinterpret_cast<uintptr_t>(&probe[0]) % 16 == 0;
  gort_switch(&round->there, round->back);
  Throw("check: a finished context was resumed");
}

[[maybe_unused]] void CheckSwitch() {
  alignas(16) static constinit char stack[8 << 10] = {};
  Round round;
  uintptr_t sp = MakeContext(reinterpret_cast<uintptr_t>(stack + sizeof stack), &OtherSide, &round);
  const SwitchFrame* frame = reinterpret_cast<const SwitchFrame*>(sp);
  if (frame->pc != reinterpret_cast<uintptr_t>(&gort_gostart)) Throw("check: frame.pc offset");
  gort_switch(&round.back, sp);
  if (!round.aligned) Throw("check: switch: stack alignment");
  if (FrameOf(Gobuf{round.there})->pc == 0) Throw("check: switch: saved pc");
}

}  // namespace

void Check() {
  CheckTypes();
  CheckAtomics();
#if !GORT_ASAN && !GORT_TSAN
  CheckSwitch();  // sanitizers would have to be told of the stack
#endif
}

}  // namespace gort::rt
