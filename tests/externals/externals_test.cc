#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/cleanup/cleanup.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/debugging/stacktrace.h"
#include "absl/debugging/symbolize.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/memory/memory.h"
#include "absl/numeric/bits.h"
#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "gflags/gflags.h"
#include "gmock/gmock.h"
#include "gort/base/attributes.h"
#include "gtest/gtest.h"

DEFINE_int32(externals_number, 7, "a flag");

namespace {

class Counter {
 public:
  void Add(int n) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    n_ += n;
  }
  int Get() ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return n_;
  }

 private:
  absl::Mutex mu_;
  int n_ ABSL_GUARDED_BY(mu_) = 0;
};

TEST(Externals, ThreadsAndLocks) {
  if (GORT_TSAN) GTEST_SKIP() << "Debian's Abseil does not tell tsan of its locks";
  Counter counter;
  std::thread thread([&] { counter.Add(2); });
  counter.Add(3);
  thread.join();
  EXPECT_EQ(counter.Get(), 5);
}

TEST(Externals, Containers) {
  absl::BitGen gen;
  absl::flat_hash_map<int, absl::InlinedVector<int, 2>> map;
  for (int i = 0; i < 100; ++i) map[i % 10].push_back(absl::Uniform(gen, 0, 10));
  EXPECT_EQ(map.size(), 10u);
  absl::Span<const int> row = map[3];
  EXPECT_EQ(row.size(), 10u);
  EXPECT_EQ(absl::bit_width(8u), 4);
}

TEST(Externals, StatusAndText) {
  absl::StatusOr<int> bad = absl::InternalError(absl::StrCat("line ", 3));
  EXPECT_THAT(bad.status().ToString(), testing::HasSubstr("line 3"));
  EXPECT_EQ(absl::StrFormat("%05d", 42), "00042");
  EXPECT_EQ(absl::FormatDuration(absl::Milliseconds(1500)), "1.5s");
  EXPECT_LT(absl::UnixEpoch(), absl::Now());
}

TEST(Externals, Functions) {
  int n = 0;
  {
    auto cleanup = absl::MakeCleanup([&] { ++n; });
    absl::AnyInvocable<int()> once = [p = absl::make_unique<int>(4)] { return *p; };
    EXPECT_EQ(once(), 4);
    auto increment = [&] { ++n; };
    absl::FunctionRef<void()> ref = increment;
    ref();
  }
  EXPECT_EQ(n, 2);
  EXPECT_EQ(absl::optional<int>(n).value_or(0), 2);
}

TEST(Externals, Debugging) {
  void* frames[16];
  int n = absl::GetStackTrace(frames, 16, 0);  // walks frame pointers, which `opt` leaves out
  EXPECT_GE(n, 0);
  char name[100];
  if (n > 0) absl::Symbolize(frames[0], name, sizeof name);
}

// In the style that .bazelrc sets for the configuration.
TEST(ExternalsDeathTest, Dies) {
  std::thread thread([] {});
  EXPECT_EXIT(
      {
        std::fputs("the end\n", stderr);
        std::_Exit(2);
      },
      testing::ExitedWithCode(2), "the end");
  thread.join();
}

TEST(Externals, Flags) {
  EXPECT_EQ(FLAGS_externals_number, 7);
  gflags::SetCommandLineOption("externals_number", "8");
  EXPECT_EQ(FLAGS_externals_number, 8);
}

}  // namespace
