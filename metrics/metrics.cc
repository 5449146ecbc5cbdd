#include "gort/metrics/metrics.h"

#include <memory>

#include "gort/metrics/internal/snapshot.h"
#include "gort/metrics/internal/table.h"

namespace gort::metrics {

std::vector<Sample> Read() {
  // Too large for a small stack.
  const auto snapshot = std::make_unique<Snapshot>();
  TakeSnapshot(snapshot.get());
  std::vector<Sample> samples;
  for (const Row& row : Table()) {
    Samples out(row.is, &samples);
    row.read(*snapshot, &out);
  }
  return samples;
}

std::vector<Definition> Definitions() {
  std::vector<Definition> all;
  for (const Row& row : Table()) all.push_back(row.is);
  return all;
}

double Value(const std::vector<Sample>& samples, std::string_view name,
             std::string_view label_value) {
  for (const Sample& s : samples) {
    if (s.name == name && s.label_value == label_value) return s.value;
  }
  return 0;
}

double Quantile(const Sample& histogram, double q) {
  double seen = 0;
  for (const Bucket& bucket : histogram.buckets) {
    seen += static_cast<double>(bucket.count);
    if (bucket.count != 0 && seen >= q * histogram.value) return bucket.end;
  }
  return 0;
}

}  // namespace gort::metrics
