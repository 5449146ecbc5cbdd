#include "gort/tests/death/unprobed_frames.h"

#include "gort/tests/death/frames.h"

namespace {

volatile int never = 0;

}  // namespace

__attribute__((noinline)) int UnprobedRecursion(int n) {
  volatile char frame[64 << 10];
  frame[0] = static_cast<char>(n);
  if (never == 1) return 0;
  return UnprobedRecursion(n + 1) + frame[n % 256];
}

int UnprobedFramesOf(int kib) { return FramesOf(kib); }
