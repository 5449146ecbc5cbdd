// metrics/metrics.h: what the runtime is at, as numbers with names.
// What      Read gives every number; Prometheus gives them as the text that Prometheus and its like
//           read. The names are in README.md; they may grow, and do not change.
// Cost      reading looks at every goroutine once, without stopping any. What is counted is counted by
//           its P, or where it is rare.
// Layer     8. Public.
// Contract  any goroutine or thread; not signal handlers. Before gort::Run the scheduler's tell of what
//           the program has asked for already, such as goroutines that wait for it; else they are zero.
//           The numbers of one call are taken one after the other, while the program goes on.
// Go        runtime/metrics
#ifndef GORT_METRICS_METRICS_H_
#define GORT_METRICS_METRICS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gort::metrics {

enum class Kind : uint8_t {
  kGauge,      // goes up and down
  kCounter,    // since the start of the process
  kHistogram,  // how often something took how long, since the start of the process
};

// A part of a histogram: how often it took less than `end`, and not less than the end of the part
// before.
struct Bucket {
  double end;  // in the metric's unit; of the last bucket infinity
  uint64_t count;
};

// One number. Several have the same name where a label tells them apart.
struct Sample {
  std::string_view name;  // "gort_goroutines"; lives for ever, as all texts here
  std::string_view help;  // what it counts, in a sentence
  Kind kind;
  std::string_view label;        // its label's name; empty: none
  std::string_view label_value;  // "chan receive"
  double value;                  // of a histogram: how often in all
  std::string_view unit = {};    // "seconds", "bytes"; empty: it is a number of things
  // Of a histogram. The ends of its buckets are always the same: four for each power of two.
  double sum = 0;  // how long in all
  std::vector<Bucket> buckets = {};
};

// What a name stands for.
struct Definition {
  std::string_view name;
  std::string_view unit;
  Kind kind;
  std::string_view label;
  std::string_view help;
};

// Every sample, those of one name in a row. Go: metrics.Read
std::vector<Sample> Read();
// Every name, in the order of Read. Go: metrics.All
std::vector<Definition> Definitions();
// The value of one sample of those, 0 where there is none of this name and label.
double Value(const std::vector<Sample>& samples, std::string_view name,
             std::string_view label_value = {});
// The end of the bucket of a histogram below which the part q (0.99) of all lies; 0: it is empty, or no
// histogram.
double Quantile(const Sample& histogram, double q);

// All of it in the text format of Prometheus, version 0.0.4
// ("Content-Type: text/plain; version=0.0.4"). Of the buckets of a histogram it has every fourth end.
std::string Prometheus();

}  // namespace gort::metrics

#endif  // GORT_METRICS_METRICS_H_
