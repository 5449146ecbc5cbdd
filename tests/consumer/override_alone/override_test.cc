// malloc and operator new of this program are gort's, because it links //malloc:override.
#include <cstdlib>
#include <memory>

#include "gort/malloc/malloc.h"
#include "gtest/gtest.h"

// The sanitizers keep a malloc of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kOverridden = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kOverridden = false;
#else
constexpr bool kOverridden = true;
#endif
#else
constexpr bool kOverridden = true;
#endif

TEST(OverrideAlone, ServesMallocAndNew) {
  if (!kOverridden) GTEST_SKIP();
  uint64_t before = gort::malloc::ReadStats().in_use;
  void* p = std::malloc(1 << 20);
  std::unique_ptr<char[]> q(new char[1 << 20]);
  EXPECT_GE(gort::malloc::ReadStats().in_use, before + (2 << 20));
  std::free(p);
}
