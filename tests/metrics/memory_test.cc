// Heap and stacks.
#include <gtest/gtest.h>

#include <cstring>
#include <string_view>
#include <vector>

#include "gort/chan/chan.h"
#include "gort/malloc/malloc.h"
#include "gort/metrics/metrics.h"
#include "gort/proc/go.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/metrics/readings.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::Eventually;
using ::gort::testing::InGort;
using ::gort::testing::Procs;
using metrics::Read;
using metrics::Sample;
using metrics::Value;

TEST(MetricsTest, TheHeapIsCountedByTheSizeOfItsBlocks) {
  constexpr std::string_view kName = "gort_heap_class_bytes";
  const std::vector<Sample> before = Read();
  std::vector<void*> blocks;
  for (int i = 0; i < 100; ++i) blocks.push_back(malloc::Alloc(1000));
  blocks.push_back(malloc::Alloc(100'000));
  const std::vector<Sample> now = Read();
  for (void* p : blocks) malloc::Free(p);
  EXPECT_GE(Value(now, kName, "1024") - Value(before, kName, "1024"), 90 * 1024);  // others free
  EXPECT_GE(Value(now, kName, "large") - Value(before, kName, "large"), 100'000);
  double sum = 0;
  for (const Sample& s : now) sum += s.name == kName ? s.value : 0;
  EXPECT_GE(sum, 100 * 1024 + 100'000);
}

double AllGuards() {
  double n = 0;
  for (const Sample& s : Read()) n += s.name == "gort_stack_guards" ? s.value : 0;
  return n;
}

TEST(MetricsTest, ALargeStackIsCountedUntilItsMemoryIsGivenBack) {
  static constexpr double kBytes = 16 << 20;
  Procs one(1);
  InGort([] {
    const Since since;
    const double guards = AllGuards();
    const Chan<int> c = MakeChan<int>();
    WaitGroup wg;
    GoOptions large;
    large.stack_size = static_cast<size_t>(kBytes);
    wg.Go(large, [c] { c.Recv(); });
    EXPECT_TRUE(Eventually([] { return Waiting("chan receive") == 1; }));
    EXPECT_GE(since("gort_stack_bytes", "in use"), kBytes);
    EXPECT_LE(since("gort_stack_bytes", "in use"), 2 * kBytes);  // with its guard, a power of two
    EXPECT_GE(Now("gort_stack_bytes", "reserved"), Now("gort_stack_bytes", "in use"));
    EXPECT_EQ(AllGuards(), guards + 1);
    c.Close();
    wg.Wait();
    EXPECT_TRUE(Eventually([&] { return since("gort_stack_bytes", "in use") < kBytes; }));
    EXPECT_TRUE(Eventually([&] { return since("gort_stack_released_bytes_total") >= kBytes; }));
  });
}

TEST(MetricsTest, ALargeBlockOfTheHeapIsCountedUntilItsMemoryIsGivenBack) {
  constexpr size_t kBytes = 1 << 20;
  const Since since;
  void* p = malloc::Alloc(kBytes);
  EXPECT_EQ(since("gort_heap_bytes", "in use"), kBytes);
  EXPECT_EQ(since("gort_heap_objects"), 1);
  EXPECT_GT(Now("gort_heap_bytes", "metadata"), 0);
  std::memset(p, 1, kBytes);
  malloc::Free(p);
  EXPECT_EQ(since("gort_heap_bytes", "in use"), 0);
  EXPECT_EQ(since("gort_heap_objects"), 0);
  EXPECT_GE(Now("gort_heap_bytes", "idle") - Now("gort_heap_bytes", "released"), kBytes);
  const auto released = static_cast<double>(malloc::ReleaseFreeMemory());
  EXPECT_GE(released, kBytes);
  EXPECT_GE(since("gort_heap_released_bytes_total"), released);
  EXPECT_EQ(Now("gort_heap_bytes", "idle"), Now("gort_heap_bytes", "released"));
}

TEST(MetricsTest, AFreeSmallBlockIsInACache) {
  void* p = malloc::Alloc(20'000);
  const Since since;
  malloc::Free(p);
  EXPECT_EQ(since("gort_heap_bytes", "cached"), 20'480);  // its class
  EXPECT_EQ(since("gort_heap_bytes", "in use"), -20'480);
}

}  // namespace
}  // namespace gort
