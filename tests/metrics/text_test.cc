// The text format of Prometheus.
#include <gtest/gtest.h>

#include <clocale>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "gort/metrics/metrics.h"
#include "gort/runtime.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::InGort;
using ::gort::testing::Procs;

TEST(MetricsTest, TheTextIsWhatPrometheusReads) {
  InGort([] {
    const std::regex help("# HELP ([a-z_]+) .+");
    const std::regex type("# TYPE ([a-z_]+) (gauge|counter|histogram)");
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
        EXPECT_EQ(m[1].str().rfind(name, 0), 0u) << line;
        EXPECT_EQ(m[1] == name, kind != "histogram") << line;
        EXPECT_TRUE(series.insert(m[1].str() + m[2].str()).second) << "twice: " << line;
      }
    }
    EXPECT_EQ(names.size(), metrics::Definitions().size());
    EXPECT_EQ(series.count("gort_goroutines{state=\"running\"}"), 1u);
    EXPECT_EQ(series.count("gort_time_to_run_seconds_bucket{le=\"+Inf\"}"), 1u);
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
