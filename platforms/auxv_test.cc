#include "gort/platforms/auxv.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "gtest/gtest.h"

namespace gort::rt {
namespace {

TEST(Auxv, PageSizeIsTheSystems) {
  EXPECT_EQ(GetAuxval(AuxKey::kPageSize), static_cast<uintptr_t>(sysconf(_SC_PAGESIZE)));
}

TEST(Auxv, RandomBytesAreThereAndNotAllZero) {
  const void* p = reinterpret_cast<const void*>(GetAuxval(AuxKey::kRandom));
  ASSERT_NE(p, nullptr);
  const char zeros[16] = {};
  EXPECT_NE(memcmp(p, zeros, sizeof zeros), 0);
}

TEST(Auxv, SignalFrameSizeIsAbsentOrPlausible) {
  uintptr_t n = GetAuxval(AuxKey::kMinSigStackSize);
  if (n != 0) {
    EXPECT_GE(n, 1024u);
    EXPECT_LE(n, 1u << 20);
  }
}

TEST(Auxv, LeavesErrnoAlone) {
  errno = 1234;
  GetAuxval(AuxKey::kMinSigStackSize);
  EXPECT_EQ(errno, 1234);
}

}  // namespace
}  // namespace gort::rt
