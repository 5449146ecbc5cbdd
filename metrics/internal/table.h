// metrics/internal/table.h: every metric, a row each.
// Layer     8.
#ifndef GORT_METRICS_INTERNAL_TABLE_H_
#define GORT_METRICS_INTERNAL_TABLE_H_

#include <span>
#include <string_view>
#include <vector>

#include "gort/metrics/internal/snapshot.h"
#include "gort/metrics/metrics.h"

namespace gort::metrics {

// Where a row puts its samples.
class Samples {
 public:
  Samples(const Definition& row, std::vector<Sample>* to) : row_(row), to_(to) {}

  template <class T>
  void Is(T value) {
    Add({}, static_cast<double>(value));
  }
  template <class T>
  void Is(std::string_view label_value, T value) {
    Add(label_value, static_cast<double>(value));
  }
  void Is(const rt::TimeCounts& times);

 private:
  Sample& Add(std::string_view label_value, double value);

  const Definition& row_;
  std::vector<Sample>* const to_;
};

struct Row {
  Definition is;
  void (*read)(const Snapshot& s, Samples* out);
};

std::span<const Row> Table();

}  // namespace gort::metrics

#endif  // GORT_METRICS_INTERNAL_TABLE_H_
