// tests/metrics/readings.h: one metric now, or how it has changed, and time that passes.
#ifndef GORT_TESTS_METRICS_READINGS_H_
#define GORT_TESTS_METRICS_READINGS_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "gort/metrics/metrics.h"
#include "gort/platforms/clock.h"

namespace gort {

inline double Now(std::string_view name, std::string_view label = {}) {
  return metrics::Value(metrics::Read(), name, label);
}
inline double Waiting(std::string_view reason) { return Now("gort_goroutines_waiting", reason); }

// What changed from one reading to the next.
class Since {
 public:
  Since() : before_(metrics::Read()) {}
  double operator()(std::string_view name, std::string_view label = {}) const {
    return Now(name, label) - metrics::Value(before_, name, label);
  }
  // Of a histogram: how often it took as long as that.
  double Took(std::string_view name, double seconds) const {
    return CountFrom(metrics::Read(), name, seconds) - CountFrom(before_, name, seconds);
  }

 private:
  static double CountFrom(const std::vector<metrics::Sample>& samples, std::string_view name,
                          double seconds) {
    double n = 0;
    double begin = 0;
    for (const metrics::Sample& s : samples) {
      if (s.name != name) continue;
      for (const metrics::Bucket& b : s.buckets) {
        if (begin >= seconds) n += static_cast<double>(b.count);
        begin = b.end;
      }
    }
    return n;
  }
  const std::vector<metrics::Sample> before_;
};

// How long f takes, in seconds.
template <class F>
double SecondsOf(F f) {
  const int64_t begin = rt::Nanotime();
  f();
  return static_cast<double>(rt::Nanotime() - begin) / 1e9;
}

inline void SpinFor(double seconds) {
  const int64_t until = rt::Nanotime() + static_cast<int64_t>(seconds * 1e9);
  while (rt::Nanotime() < until) {
  }
}

}  // namespace gort

#endif  // GORT_TESTS_METRICS_READINGS_H_
