// tests/support/process.h: what a test, a benchmark or an example asks about its own process.
#ifndef GORT_TESTS_SUPPORT_PROCESS_H_
#define GORT_TESTS_SUPPORT_PROCESS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace gort::testing {

// The words to put before a program of ours so that it runs as this test does: the emulator's, from
// $GORT_RUN_UNDER, or none. An emulator does not follow execve.
std::vector<std::string> RunUnder();

// This process runs under an emulator (--config=linux-arm64).
bool Emulated();

// This process runs many times slower than a program does: under an emulator or a sanitizer. A test
// then does fewer rounds.
bool Slow();

// Bytes of this process that are in memory.
int64_t ResidentBytes();

}  // namespace gort::testing

#endif  // GORT_TESTS_SUPPORT_PROCESS_H_
