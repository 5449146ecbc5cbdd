// What metrics and a trace both count is the same.
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

#include "gort/chan/chan.h"
#include "gort/metrics/metrics.h"
#include "gort/proc/go.h"
#include "gort/runtime.h"
#include "gort/sync/mutex.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/metrics/readings.h"
#include "gort/tests/support/goroutines.h"
#include "gort/timer/sleep.h"
#include "gort/trace/testing/decoded.h"
#include "gort/trace/trace.h"

namespace gort {
namespace {

using ::gort::testing::DecodedTrace;
using ::gort::testing::Eventually;
using ::gort::testing::Inconsistency;
using ::gort::testing::InGort;
using ::gort::testing::Procs;
using ::gort::testing::TraceItem;
using metrics::Read;
using metrics::Sample;

std::string FileFor(const std::string& name) {
  return ::testing::TempDir() + "/" + name + "." + std::to_string(getpid()) + ".trace";
}

// The items between the two marks.
std::vector<TraceItem> Between(const DecodedTrace& t, const char* from, const char* to) {
  EXPECT_EQ(Inconsistency(t), "");
  EXPECT_TRUE(t.Named("lost events").empty());
  const std::vector<TraceItem> begin = t.Named(from), end = t.Named(to);
  std::vector<TraceItem> items;
  if (begin.size() != 1 || end.size() != 1) return items;
  for (const TraceItem& i : t.items) {
    if (i.ns > begin[0].ns && i.ns < end[0].ns) items.push_back(i);
  }
  return items;
}

void Work() {
  const Chan<int> c = MakeChan<int>();
  Mutex mu;
  WaitGroup wg;
  for (int g = 0; g < 50; ++g) {
    wg.Go([&, g] {
      for (int i = 0; i < 40; ++i) {
        g % 2 == 0 ? c.Send(i) : static_cast<void>(c.Recv());
        mu.Lock();
        Gosched();
        mu.Unlock();
        if (i % 10 == 0) Blocking([] {});
        if (i % 20 == 0) Sleep(absl::Microseconds(50));
      }
    });
  }
  GOMAXPROCS(3);
  wg.Wait();
  GOMAXPROCS(4);
}

// What metrics and a trace both count.
std::map<std::string, double> ByTrace(const std::vector<TraceItem>& items) {
  std::map<std::string, double> n;
  for (const TraceItem& i : items) {
    if (i.type == TraceItem::kEnd && !i.note("why").empty()) ++n["park: " + i.note("why")];
    if (i.type == TraceItem::kEnd) continue;
    for (const char* name : {"go", "steal", "system call", "stop the world"}) {
      if (i.name == name) ++n[name];
    }
  }
  return n;
}

TEST(MetricsTest, CountsAreThoseOfATrace) {
  Procs four(4);
  const std::string path = FileFor("counts");
  std::map<std::string, double> counted;
  InGort([&] {
    ASSERT_TRUE(trace::Start(path).ok());
    const auto at_rest = [] { return NumGoroutine() == 1; };
    EXPECT_TRUE(Eventually(at_rest));
    trace::Log("from here");
    const Since since;
    for (int i = 0; i < 5; ++i) Work();
    EXPECT_TRUE(Eventually(at_rest));
    counted["go"] = since("gort_goroutines_created_total");
    counted["steal"] = since("gort_steals_total");
    counted["system call"] = since("gort_system_calls_total");
    counted["stop the world"] = since("gort_world_stops_total");
    for (const Sample& s : Read()) {
      if (s.name == "gort_parks_total") {
        counted["park: " + std::string(s.label_value)] = since(s.name, s.label_value);
      }
    }
    trace::Log("to here");
    EXPECT_TRUE(trace::Stop().ok());
  });
  std::map<std::string, double> traced =
      ByTrace(Between(testing::DecodeTraceFile(path), "from here", "to here"));
  unlink(path.c_str());
  EXPECT_EQ(counted["go"], 5 * 50);
  EXPECT_GT(counted["park: chan receive"] + counted["park: chan send"], 0);
  EXPECT_GT(counted["park: sync.Mutex.Lock"], 0);
  for (const auto& [what, n] : counted) EXPECT_EQ(n, traced[what]) << what;
}

}  // namespace
}  // namespace gort
