// The numbers of programs of which we know what they do.
#include "gort/metrics/metrics.h"

#include <gtest/gtest.h>

#include <clocale>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "gort/chan/chan.h"
#include "gort/runtime.h"
#include "gort/sync/mutex.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/support/goroutines.h"
#include "gort/timer/sleep.h"

namespace gort {
namespace {

using ::gort::testing::Eventually;
using ::gort::testing::InGort;
using ::gort::testing::Procs;
using metrics::Read;
using metrics::Sample;
using metrics::Value;

double Now(std::string_view name, std::string_view label = {}) {
  return Value(Read(), name, label);
}
double Waiting(std::string_view reason) { return Now("gort_goroutines_waiting", reason); }

TEST(MetricsTest, BeforeTheStartThereIsNothing) {
  EXPECT_EQ(Now("gort_goroutines", "running"), 0);
  EXPECT_EQ(Now("gort_gomaxprocs"), 0);
}

TEST(MetricsTest, GoroutinesAreCountedByStateAndReason) {
  InGort([] {
    const Chan<int> c = MakeChan<int>();
    Mutex mu;
    mu.Lock();
    WaitGroup wg;
    const double receivers = Waiting("chan receive");
    for (int i = 0; i < 5; ++i) wg.Go([c] { c.Recv(); });
    for (int i = 0; i < 3; ++i) {
      wg.Go([&mu] {
        mu.Lock();
        mu.Unlock();
      });
    }
    EXPECT_TRUE(Eventually([&] { return Waiting("chan receive") == receivers + 5; }));
    EXPECT_TRUE(Eventually([] { return Waiting("sync.Mutex.Lock") == 3; }));
    const std::vector<Sample> now = Read();
    double by_reason = 0;
    for (const Sample& s : now) {
      if (s.name == "gort_goroutines_waiting") by_reason += s.value;
    }
    EXPECT_EQ(by_reason, Value(now, "gort_goroutines", "waiting"));
    EXPECT_GE(Value(now, "gort_goroutines", "running"), 1);
    mu.Unlock();
    c.Close();
    wg.Wait();
    EXPECT_EQ(Waiting("sync.Mutex.Lock"), 0);
  });
}

TEST(MetricsTest, SleepersAreTimers) {
  InGort([] {
    const double before = Now("gort_timers");
    WaitGroup wg;
    for (int i = 0; i < 4; ++i) wg.Go([] { Sleep(absl::Milliseconds(200)); });
    EXPECT_TRUE(Eventually([&] { return Waiting("sleep") == 4; }));
    EXPECT_GE(Now("gort_timers"), before + 1);
    wg.Wait();
    EXPECT_EQ(Waiting("sleep"), 0);
  });
}

TEST(MetricsTest, ChangingTheNumberOfPsStopsTheWorldOnce) {
  Procs two(2);
  InGort([] {
    const double stops = Now("gort_world_stops_total");
    const double seconds = Now("gort_world_stopped_seconds_total");
    GOMAXPROCS(3);
    EXPECT_EQ(Now("gort_gomaxprocs"), 3);
    EXPECT_EQ(Now("gort_gomaxprocs_chosen"), 1);
    EXPECT_EQ(Now("gort_world_stops_total"), stops + 1);
    EXPECT_GT(Now("gort_world_stopped_seconds_total"), seconds);
    EXPECT_GT(Now("gort_world_stopped_longest_seconds"), 0);
  });
}

void Compute() {
  for (int i = 0; i < 50'000; ++i) asm volatile("" ::: "memory");
}

TEST(MetricsTest, WhatAnotherPHasQueuedIsStolen) {
  Procs four(4);
  InGort([] {
    const double before = Now("gort_steals_total");
    // They stand in the queue of the P that made them, and it computes.
    EXPECT_TRUE(Eventually([&] {
      WaitGroup wg;
      for (int i = 0; i < 100; ++i) wg.Go([] { Compute(); });
      Compute();
      wg.Wait();
      return Now("gort_steals_total") > before;
    }));
  });
}

TEST(MetricsTest, TheTextIsWhatPrometheusReads) {
  InGort([] {
    const std::regex help("# HELP ([a-z_]+) .+");
    const std::regex type("# TYPE ([a-z_]+) (gauge|counter)");
    const std::regex sample("([a-z_]+)(\\{[a-z]+=\"[^\"\\\\]*\"\\})? [0-9.e+-]+");
    std::istringstream in(metrics::Prometheus());
    std::set<std::string> names, series;
    std::string name, kind;
    for (std::string line; std::getline(in, line);) {
      std::smatch m;
      if (std::regex_match(line, m, help)) {
        name = m[1];
        EXPECT_TRUE(names.insert(name).second) << "not in a row: " << name;
      } else if (std::regex_match(line, m, type)) {
        EXPECT_EQ(m[1], name);
        kind = m[2];
        EXPECT_EQ(kind == "counter", name.ends_with("_total")) << name;
      } else {
        ASSERT_TRUE(std::regex_match(line, m, sample)) << line;
        EXPECT_EQ(m[1], name);
        EXPECT_TRUE(series.insert(m[1].str() + m[2].str()).second) << "twice: " << line;
      }
    }
    EXPECT_GT(names.size(), 20u);
    EXPECT_EQ(series.count("gort_goroutines{state=\"running\"}"), 1u);
  });
}

TEST(MetricsTest, TheTextDoesNotFollowTheLocale) {
  // One whose numbers have a comma, as embedding programs may have set it.
  if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == nullptr) GTEST_SKIP() << "no such locale here";
  Procs two(2);
  InGort([] {
    GOMAXPROCS(3);  // the world is stopped for a part of a second
    std::istringstream in(metrics::Prometheus());
    for (std::string line; std::getline(in, line);) {
      if (line[0] == '#') continue;
      EXPECT_EQ(line.substr(line.rfind(' ')).find(','), std::string::npos) << line;
    }
  });
  setlocale(LC_NUMERIC, "C");
}

}  // namespace
}  // namespace gort
