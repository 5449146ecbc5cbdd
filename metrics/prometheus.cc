// metrics/prometheus.cc: the text format of Prometheus.
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>

#include "gort/metrics/metrics.h"

namespace gort::metrics {
namespace {

constexpr size_t kEveryBucket = 4;  // of those of a histogram; a power of two of nanoseconds

// Whatever the program's locale is.
void AppendNumber(std::string* out, double v) {
  if (std::isinf(v)) {
    *out += "+Inf";
    return;
  }
  char text[32];
  char* const end = text + sizeof text;
  const auto n = static_cast<int64_t>(v);
  const bool whole = v == static_cast<double>(n);
  const std::to_chars_result r = whole ? std::to_chars(text, end, n)
                                       : std::to_chars(text, end, v, std::chars_format::general, 9);
  out->append(text, r.ptr);
}

std::string_view KindName(Kind kind) {
  switch (kind) {
    case Kind::kCounter:
      return "counter";
    case Kind::kHistogram:
      return "histogram";
    case Kind::kGauge:
      break;
  }
  return "gauge";
}

void AppendHead(std::string* out, const Sample& s) {
  out->append("# HELP ").append(s.name).append(" ").append(s.help);
  out->append("\n# TYPE ").append(s.name).append(" ").append(KindName(s.kind)).append("\n");
}

// One line of a sample. The values of labels are ours, and none needs to be escaped.
void AppendLine(std::string* out, const Sample& s) {
  *out += s.name;
  if (!s.label.empty()) {
    out->append("{").append(s.label).append("=\"").append(s.label_value).append("\"}");
  }
  *out += ' ';
  AppendNumber(out, s.value);
  *out += '\n';
}

// One line of a histogram: `below` times it took less than `end`.
void AppendBucket(std::string* out, const Sample& s, double end, uint64_t below) {
  out->append(s.name).append("_bucket{le=\"");
  AppendNumber(out, end);
  *out += "\"} ";
  AppendNumber(out, static_cast<double>(below));
  *out += '\n';
}

void AppendHistogram(std::string* out, const Sample& s) {
  uint64_t below = 0;
  for (size_t i = 0; i < s.buckets.size(); ++i) {
    below += s.buckets[i].count;
    const bool last = i + 1 == s.buckets.size();
    if (last || i % kEveryBucket == 0) AppendBucket(out, s, s.buckets[i].end, below);
  }
  out->append(s.name).append("_sum ");
  AppendNumber(out, s.sum);
  out->append("\n").append(s.name).append("_count ");
  AppendNumber(out, s.value);
  *out += '\n';
}

}  // namespace

std::string Prometheus() {
  std::string out;
  std::string_view last;
  for (const Sample& s : Read()) {
    if (s.name != last) AppendHead(&out, s);
    last = s.name;
    s.kind == Kind::kHistogram ? AppendHistogram(&out, s) : AppendLine(&out, s);
  }
  return out;
}

}  // namespace gort::metrics
