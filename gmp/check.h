// gmp/check.h: proving at start-up what the code takes for granted.
// Layer     4. Go: check (runtime1.go)
#ifndef GORT_GMP_CHECK_H_
#define GORT_GMP_CHECK_H_

namespace gort::rt {

// Type sizes, atomics, the offsets that assembly uses, and the switch itself: fatal when one is not
// as assumed. On the first thread, before anything else runs.
void Check();

}  // namespace gort::rt

#endif  // GORT_GMP_CHECK_H_
