#include "gort/platforms/mem.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "gort/base/bits.h"
#include "gort/tests/support/child.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

// Reads the byte at p in a child: true when that faults.
bool Faults(const void* p) {
  testing::ChildResult r = testing::RunInChild([&] {
    signal(SIGSEGV, [](int) { _exit(77); });
    char c = *static_cast<const volatile char*>(p);
    _exit(c != 0 ? 1 : 0);
  });
  EXPECT_TRUE(r.status == 77 || r.status == 0 || r.status == 1) << r.output;
  return r.status == 77;
}

bool AllBytesAre(const void* p, size_t bytes, char value) {
  const char* c = static_cast<const char*>(p);
  for (size_t i = 0; i < bytes; ++i) {
    if (c[i] != value) return false;
  }
  return true;
}

// Maps pages for a test and gives them back.
class Mem : public ::testing::Test {
 protected:
  void* Map(size_t pages) {
    bytes_ = pages * page_;
    p_ = MemMap(bytes_, page_);
    EXPECT_NE(p_, nullptr);
    return p_;
  }
  void TearDown() override {
    if (p_ != nullptr) MemUnmap(p_, bytes_);
  }
  char* PageAt(size_t i) { return static_cast<char*>(p_) + i * page_; }

  const size_t page_ = PageSize();
  void* p_ = nullptr;
  size_t bytes_ = 0;
};

TEST_F(Mem, PageSizesArePowersOfTwo) {
  EXPECT_EQ(page_, static_cast<size_t>(sysconf(_SC_PAGESIZE)));
  EXPECT_TRUE(IsPowerOfTwo(page_));
  size_t huge = HugePageSize();
  if (huge != 0) {
    EXPECT_TRUE(IsPowerOfTwo(huge));
    EXPECT_GT(huge, page_);
  }
}

TEST_F(Mem, ReservedAddressesFaultUntilCommittedAndThenReadZero) {
  p_ = MemReserve(bytes_ = 4 * page_, page_);
  ASSERT_NE(p_, nullptr);
  EXPECT_TRUE(Faults(PageAt(1)));
  EXPECT_FALSE(MemReadable(PageAt(1)));
  ASSERT_TRUE(MemCommit(PageAt(1), page_));
  EXPECT_TRUE(AllBytesAre(PageAt(1), page_, 0));
  memset(PageAt(1), 7, page_);
  EXPECT_TRUE(Faults(PageAt(0)));
  EXPECT_TRUE(Faults(PageAt(2)));
}

TEST_F(Mem, AlignmentIsHonouredAndTheSurplusGivenBack) {
  for (size_t align : {size_t{1}, page_, 16 * page_, size_t{1} << 26}) {
    void* p = MemReserve(3 * page_, align);
    ASSERT_NE(p, nullptr);
    EXPECT_TRUE(IsAligned(reinterpret_cast<uintptr_t>(p), align));
    EXPECT_TRUE(IsAligned(reinterpret_cast<uintptr_t>(p), page_));
    MemUnmap(p, 3 * page_);
  }
}

TEST_F(Mem, ImpossibleSizesGiveNull) {
  errno = 1234;
  EXPECT_EQ(MemReserve(SIZE_MAX - page_ + 1, page_), nullptr);
  EXPECT_EQ(MemReserve(SIZE_MAX - page_ + 1, 1 << 20), nullptr);
  EXPECT_EQ(MemReserve(size_t{1} << 62, page_), nullptr);
  EXPECT_EQ(MemMap(0, page_), nullptr);
  EXPECT_EQ(errno, 1234);
}

TEST_F(Mem, LargeReservationsCostNothing) {
  constexpr size_t kBytes = size_t{64} << 30;
  void* p = MemReserve(kBytes, size_t{1} << 26);
  ASSERT_NE(p, nullptr);
  MemUnmap(p, kBytes);
}

TEST_F(Mem, ReleasedPagesReadZeroAndAreUsableAgain) {
  Map(3);
  memset(p_, 5, bytes_);
  if (!MemRelease(PageAt(1), page_)) GTEST_SKIP() << "this kernel keeps the pages";
  EXPECT_TRUE(AllBytesAre(PageAt(0), page_, 5));
  EXPECT_TRUE(AllBytesAre(PageAt(1), page_, 0));
  EXPECT_TRUE(AllBytesAre(PageAt(2), page_, 5));
  memset(PageAt(1), 6, page_);
  EXPECT_TRUE(AllBytesAre(PageAt(1), page_, 6));
}

TEST_F(Mem, LockedPagesAreReleasedToo) {
  Map(1);
  if (mlock(p_, page_) != 0) GTEST_SKIP() << "no right to lock memory";
  memset(p_, 5, page_);
  // An older kernel may say no; then nothing is lost.
  char now = MemRelease(p_, page_) ? 0 : 5;
  EXPECT_TRUE(AllBytesAre(p_, page_, now));
}

TEST_F(Mem, ProtectedPagesFaultAndKeepTheirContents) {
  Map(3);
  memset(p_, 5, bytes_);
  ASSERT_TRUE(MemProtectNone(PageAt(1), page_));
  EXPECT_TRUE(Faults(PageAt(1)));
  EXPECT_FALSE(MemReadable(PageAt(1)));
  EXPECT_FALSE(Faults(PageAt(0)));
  EXPECT_FALSE(Faults(PageAt(2)));
  ASSERT_TRUE(MemCommit(PageAt(1), page_));
  EXPECT_TRUE(AllBytesAre(PageAt(1), page_, 5));
}

TEST_F(Mem, GuardWorksSaysWhatAGuardDoes) {
  Map(1);
  bool installed = MemGuardInstall(p_, page_);
  EXPECT_EQ(MemGuardWorks(), installed && Faults(p_));
}

TEST_F(Mem, GuardsFaultOutliveReleaseAndComeOffAgain) {
  if (!MemGuardWorks()) GTEST_SKIP() << "no lightweight guards here";
  Map(3);
  memset(p_, 5, bytes_);
  ASSERT_TRUE(MemGuardInstall(PageAt(1), page_));
  EXPECT_TRUE(Faults(PageAt(1)));
  EXPECT_TRUE(Faults(PageAt(1) + page_ - 1));
  EXPECT_FALSE(MemReadable(PageAt(1)));
  ASSERT_TRUE(MemRelease(p_, bytes_));
  EXPECT_TRUE(Faults(PageAt(1)));
  EXPECT_TRUE(AllBytesAre(PageAt(0), page_, 0));
  EXPECT_TRUE(AllBytesAre(PageAt(2), page_, 0));
  ASSERT_TRUE(MemReset(PageAt(1), page_));
  EXPECT_TRUE(AllBytesAre(PageAt(1), page_, 0));
  memset(PageAt(1), 6, page_);
}

TEST_F(Mem, ReadableKnowsEveryKindOfAddress) {
  Map(2);
  EXPECT_TRUE(MemReadable(p_));             // never touched
  EXPECT_TRUE(MemReadable(PageAt(1) - 1));  // any alignment
  EXPECT_TRUE(MemReadable("text"));
  EXPECT_FALSE(MemReadable(nullptr));
  MemProtectNone(PageAt(1), page_);
  EXPECT_TRUE(MemReadable(PageAt(1) - 1));
  EXPECT_FALSE(MemReadable(PageAt(1)));
  EXPECT_FALSE(MemReadable(reinterpret_cast<void*>(~uintptr_t{0} - 4096)));
}

TEST_F(Mem, HugePageHintsAndFailuresLeaveErrnoAlone) {
  Map(2);
  errno = 1234;
  MemNoHugePage(p_, bytes_);
  MemHugePage(p_, bytes_);
  MemGuardInstall(reinterpret_cast<void*>(page_), page_);
  MemCommit(reinterpret_cast<void*>(uintptr_t{1}), page_);
  MemReadable(nullptr);
  MemUnmap(reinterpret_cast<void*>(uintptr_t{1}), page_);
  EXPECT_EQ(errno, 1234);
}

}  // namespace
}  // namespace gort::rt
