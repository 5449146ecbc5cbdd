// gmp/check.h: proving at start-up what the code takes for granted.
// Layer     4. Go: check (runtime1.go)
#ifndef GORT_GMP_CHECK_H_
#define GORT_GMP_CHECK_H_

namespace gort::rt {

// Atomics, and the switch itself (not under a sanitizer): fatal when one is not as assumed. What is
// known at compile time is asserted there. On m0's thread, before SchedInit.
void Check();

}  // namespace gort::rt

#endif  // GORT_GMP_CHECK_H_
