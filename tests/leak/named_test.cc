// What Find must name, in one process. Each of the planted functions is called on a goroutine of its own,
// which has ended before the search, as a server's handler has.
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "gort/base/attributes.h"
#include "gort/leak/leak.h"
#include "gort/metrics/metrics.h"
#include "gort/runtime.h"
#include "gort/sync/future.h"
#include "gort/tests/leak/finding.h"
#include "gort/tests/leak/plants.h"
#include "gort/timer/sleep.h"
#include "gtest/gtest.h"

namespace gort::leak {
namespace {

std::vector<Goroutine> Of(const Report& r, const std::string& name) {
  std::vector<Goroutine> of;
  for (const Goroutine& g : r.leaked) {
    if (g.created_by.find("planted::" + name) != std::string::npos) of.push_back(g);
  }
  return of;
}

// The planted goroutines are on their way to where they wait: searches until they are found.
std::vector<Goroutine> FindAll(const planted::Plant& c) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (true) {
    const Report r = Find();
    std::vector<Goroutine> found = Of(r, c.name);
    if (found.size() >= c.leaks || std::chrono::steady_clock::now() > until) return found;
    Sleep(absl::Milliseconds(2));
  }
}

GORT_NOINLINE void Check(const planted::Plant& c) {
  const std::vector<Goroutine> found = FindAll(c);
  EXPECT_EQ(found.size(), c.leaks) << c.name;
  std::string reasons;
  for (const Goroutine& g : found) {
    reasons += g.waits_for + "; ";
    EXPECT_NE(g.created_at.find("tests/leak/plants.cc:"), std::string::npos) << g.traceback;
    EXPECT_NE(g.traceback.find(", leaked]:"), std::string::npos) << g.traceback;
  }
  EXPECT_NE(reasons.find(c.waits_for), std::string::npos) << c.name << ": " << reasons;
}

// What a goroutine of the test leaves in its frames looks like pointers, so each step has its own.
TEST(Leak, NamesThePlantedWithTheirSpawnSites) {
  if (kSanitized) GTEST_SKIP() << "leak.h: not with a sanitizer";
  gort::Run([] {
    for (const planted::Plant& c : planted::Plants()) {
      Call(c.plant);
      Call([&c] {
        CleanStack();
        Check(c);
      });
    }
    Call([] {
      const size_t found = Find().leaked.size();
      EXPECT_EQ(static_cast<size_t>(LastCount()), found);
      EXPECT_EQ(metrics::Value(metrics::Read(), "gort_goroutines_leaked"), found);
      EXPECT_NE(Stack(true).find("chan receive, leaked]:"), std::string::npos);
    });
    return 0;
  });
}

TEST(Leak, SaysThatTheTimeIsOver) {
  if (kSanitized) GTEST_SKIP() << "leak.h: not with a sanitizer";
  gort::Run([] {
    const Report r = Find({.most = std::chrono::nanoseconds(1)});
    EXPECT_EQ(r.not_done, "it takes too long");
    EXPECT_TRUE(r.leaked.empty());
    EXPECT_EQ(Find({.most = std::chrono::nanoseconds::max()}).not_done, "");
    return 0;
  });
}

}  // namespace
}  // namespace gort::leak
