#include "gort/debugpages/internal/builtin.h"

#include <chrono>
#include <string>
#include <string_view>

#include "gort/leak/leak.h"
#include "gort/metrics/metrics.h"
#include "gort/profile/profile.h"
#include "gort/runtime.h"
#include "gort/trace/trace.h"

namespace gort::debugpages {
namespace {

// To walk a hundred thousand goroutines takes a while, in which others may have the P.
Response Goroutines(const Request&) {
  Response response;
  response.body = Blocking([] { return Stack(true); });
  return response;
}

Response Metrics(const Request&) {
  Response response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = Blocking([] { return metrics::Prometheus(); });
  return response;
}

// The program stands still meanwhile.
Response Leaks(const Request&) {
  const leak::Report found = leak::Find();
  Response response;
  if (!found.not_done.empty()) {
    response.status = 503;
    response.body = "no search: " + found.not_done + "\n";
    return response;
  }
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(found.stopped).count();
  response.body = std::to_string(found.leaked.size()) + " of " + std::to_string(found.waiting) +
                  " goroutines that wait do so for ever; the search took " + std::to_string(us) +
                  " us\n";
  for (const leak::Goroutine& g : found.leaked) response.body += "\n" + g.traceback;
  return response;
}

constexpr const char* kBinary = "application/octet-stream";

constexpr Recording kTrace = {"trace.perfetto-trace", kBinary, &trace::Start, &trace::Stop};
constexpr Recording kCpu = {"cpu.pprof", kBinary,
                            [](std::string_view path) { return profile::StartCpu(path); },
                            &profile::StopCpu};

// A profile as it is now.
Response Profile(profile::Kind kind, const char* file_name) {
  return {200, kBinary, file_name, profile::Read(kind)};
}

}  // namespace

// A line for each page. A page that records is ServeRecording, with what starts and stops the
// recording.
std::vector<Page> BuiltinPages() {
  return {
      {"goroutines", "tracebacks of all goroutines", &Goroutines},
      {"leaks", "goroutines that wait for ever; the program stands still while they are searched",
       &Leaks},
      {"metrics", "the numbers of the runtime, as Prometheus reads them", &Metrics},
      {"trace", "a trace of the next second, or of ?seconds=N, for Perfetto",
       [](const Request& r) { return ServeRecording(r, kTrace); }},
      {"profile", "who used the CPU in the next second, or in ?seconds=N, for pprof",
       [](const Request& r) { return ServeRecording(r, kCpu); }},
      {"profile/goroutine", "where goroutines are, for pprof",
       [](const Request&) { return Profile(profile::Kind::kGoroutine, "goroutine.pprof"); }},
      {"profile/block", "where goroutines waited, if SetBlockProfileRate was called, for pprof",
       [](const Request&) { return Profile(profile::Kind::kBlock, "block.pprof"); }},
      {"profile/mutex", "who held locks too long, if SetMutexProfileFraction was called, for pprof",
       [](const Request&) { return Profile(profile::Kind::kMutex, "mutex.pprof"); }},
      {"profile/heap", "who allocated, if SetHeapProfileRate was called, for pprof",
       [](const Request&) { return Profile(profile::Kind::kHeap, "heap.pprof"); }},
  };
}

}  // namespace gort::debugpages
