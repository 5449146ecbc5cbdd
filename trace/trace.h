// trace/trace.h: what a program did, over time.
// What      Start records what the scheduler does into a file that Perfetto opens
//           (https://ui.perfetto.dev, or any copy of it), Stop ends that: each P is a track with the
//           turns of goroutines, arrows lead from who woke to who was woken. Region, Log and Task add
//           what the program has to say. GODEBUG=trace=FILE records from beginning to end.
// Cost      not recording: nothing that can be measured. README.md has the cost of recording.
// Layer     7. Public.
// Contract  | call              | goroutine | foreign thread | signal handler |
//           | Start             |     x     |       x        |       -        |
//           | Stop              |     x     |       x        |       -        |
//           | Region, Log, Task |     x     |       x        |       -        |
//           | FlightRecorder    |     x     |       x        |       -        |
// Go        runtime/trace
#ifndef GORT_TRACE_TRACE_H_
#define GORT_TRACE_TRACE_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace gort::trace {

// Begins to record into the file `path`, which is made or emptied. The world stops for a moment, the
// longer the more goroutines there are. kFailedPrecondition: it records already, or the runtime has not
// started (gort::Run). Otherwise the code of what the system said, with the path. Go: trace.Start
absl::Status Start(std::string_view path);
// Ends the recording; when it returns, the file is complete. kFailedPrecondition: nothing is recorded.
// Otherwise what went wrong when the file was written (a full disk), which is then of no use.
// Go: trace.Stop
absl::Status Stop();
// Whether events are recorded now.
bool Recording();

// A span of time on the calling goroutine's own track, while it lives. Regions of a goroutine lie within
// each other. At most 248 bytes of the name are kept; it may go as soon as the constructor returns.
// Not to be moved to another goroutine. Go: trace.StartRegion
class Region {
 public:
  explicit Region(std::string_view name);
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

 private:
  bool begun_;
};

// A moment on the calling goroutine's own track, with at most 248 bytes of text. Go: trace.Log
void Log(std::string_view text);

// Work that several goroutines do, one after the other or at once: a track of its own. It may be ended
// by another goroutine than the one that made it, and be part of another task. Go: trace.NewTask
class Task {
 public:
  explicit Task(std::string_view name, const Task* parent = nullptr);
  ~Task();
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  uint64_t id() const { return id_; }

 private:
  uint64_t id_;
};

// Keeps the last events in memory, and writes them when something has gone wrong: on demand, when
// goroutines that could run do not get to run, or when the program dies of a fatal error (a
// deadlock is one), a fault or an exception that nobody catches. Either one of these keeps events,
// or Start records. Go: trace.FlightRecorder
class FlightRecorder {
 public:
  struct Options {
    size_t bytes = size_t{16} << 20;  // what is kept: some 900,000 events
    std::string on_failure = {};      // the file to write when the program dies; empty: none
    // The file to write when the program stalls, once after each Start, with a line on stderr; empty: none.
    // It stalls when for `stall`, which is looked at eight times as often (at most every millisecond), a P
    // with goroutines in its queue begins no turn, or no P does with goroutines in the global queue, or a
    // stop of the world does not come about: somebody computes who cannot be interrupted, or the machine has
    // no time for the program. Goroutines that wait for each other do not stall it.
    std::string on_stall = {};
    std::chrono::nanoseconds stall = std::chrono::seconds(1);
  };

  FlightRecorder();
  explicit FlightRecorder(Options options);
  // Stops, if it has not been stopped.
  ~FlightRecorder();
  FlightRecorder(const FlightRecorder&) = delete;
  FlightRecorder& operator=(const FlightRecorder&) = delete;

  // Codes as Start's.
  absl::Status Start();
  // Writes what is kept into the file `path`, and goes on. kFailedPrecondition: nothing is kept, or
  // another call is at it. Otherwise the code of what the system said, with the path.
  absl::Status WriteTo(std::string_view path);
  // kFailedPrecondition: it was not started, or WriteTo is at it.
  absl::Status Stop();

 private:
  const Options options_;
  std::atomic<bool> on_{false};
};

}  // namespace gort::trace

#endif  // GORT_TRACE_TRACE_H_
