// trace/testing/decoded.h: a trace file, read back.
// What      takes apart what trace/internal/converter.cc writes, with no code of its. A field that it
//           does not expect, or a message that does not end where it says, is an error.
#ifndef GORT_TRACE_TESTING_DECODED_H_
#define GORT_TRACE_TESTING_DECODED_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gort::testing {

struct TraceItem {
  enum Type : uint8_t { kBegin = 1, kEnd = 2, kInstant = 3, kCounter = 4 };
  Type type = kInstant;
  uint64_t ns = 0;
  std::string track;  // its name
  std::string name;
  std::map<std::string, std::string> notes;  // debug annotations
  std::vector<uint64_t> flows, last_flows;
  int64_t value = 0;  // of a counter

  std::string note(const std::string& key) const;
  uint64_t goid() const;
};

struct DecodedTrace {
  std::vector<TraceItem> items;  // as they stand in the file
  std::map<uint64_t, std::string> tracks;
  std::string error;  // empty: none

  // Those of one track, in order.
  std::vector<TraceItem> On(const std::string& track) const;
  std::vector<TraceItem> Named(const std::string& name) const;
};

DecodedTrace DecodeTrace(std::string_view bytes);
DecodedTrace DecodeTraceFile(const std::string& path);

// What is wrong with it, in words, or "". On a track of slices each end has its beginning and time does
// not go back; each arrow has one beginning and at most one end, and not before its beginning.
std::string Inconsistency(const DecodedTrace& trace);
// Which goroutine has two turns at a time, in words, or "". For a trace that lost nothing.
std::string Overlap(const DecodedTrace& trace);

}  // namespace gort::testing

#endif  // GORT_TRACE_TESTING_DECODED_H_
