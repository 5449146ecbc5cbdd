#include <cstdint>
#include <fstream>
#include <string>

#include "gtest/gtest.h"

extern "C" uint64_t gort_asm_answer();
extern "C" uint64_t gort_asm_twice(uint64_t n);

namespace gort::rt {
namespace {

TEST(Asm, RoutinesBetweenTheMacrosCanBeCalled) {
  EXPECT_EQ(gort_asm_answer(), 42u);
  EXPECT_EQ(gort_asm_twice(1u << 31), uint64_t{1} << 32);
}

TEST(Asm, RoutinesAreAligned) { EXPECT_EQ(reinterpret_cast<uintptr_t>(&gort_asm_twice) % 16, 0u); }

TEST(Asm, AProgramWithAssemblyKeepsItsStackNonExecutable) {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  bool seen = false;
  while (std::getline(maps, line)) {
    if (line.find("[stack]") == std::string::npos) continue;
    seen = true;
    EXPECT_NE(line.find(" rw-p "), std::string::npos) << line;
  }
  EXPECT_TRUE(seen);
}

}  // namespace
}  // namespace gort::rt
