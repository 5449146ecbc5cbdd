// tests/death/unprobed_frames.h: large frames that are entered without touching them.
// What      code as other compilers and libraries have it: built without -fstack-clash-protection.
#ifndef GORT_TESTS_DEATH_UNPROBED_FRAMES_H_
#define GORT_TESTS_DEATH_UNPROBED_FRAMES_H_

// Calls itself for ever, with frames of 64 KiB that are written at their low end.
int UnprobedRecursion(int n);
// FramesOf(kib) of frames.h.
int UnprobedFramesOf(int kib);

#endif  // GORT_TESTS_DEATH_UNPROBED_FRAMES_H_
