// tests/death/frames.h: recursions that do not end, with frames of several sizes.
// What      a copy for each source that includes it, compiled as that source is.
#ifndef GORT_TESTS_DEATH_FRAMES_H_
#define GORT_TESTS_DEATH_FRAMES_H_

#include <cstddef>

namespace {

volatile int frames_end = 0;

// Writes the low end of each frame, and nothing else of it.
template <size_t Bytes>
__attribute__((noinline)) int Frames(int n) {
  volatile char frame[Bytes];
  frame[0] = static_cast<char>(n);
  if (frames_end == 1) return 0;
  return Frames<Bytes>(n + 1) + frame[n % 256];
}

// With frames of 4, 16 or 64 KiB.
int FramesOf(int kib) {
  switch (kib) {
    case 4:
      return Frames<4 << 10>(0);
    case 16:
      return Frames<16 << 10>(0);
    default:
      return Frames<64 << 10>(0);
  }
}

}  // namespace

#endif  // GORT_TESTS_DEATH_FRAMES_H_
