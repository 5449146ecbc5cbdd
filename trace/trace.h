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
// Go        runtime/trace
#ifndef GORT_TRACE_TRACE_H_
#define GORT_TRACE_TRACE_H_

#include <cstdint>
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

}  // namespace gort::trace

#endif  // GORT_TRACE_TRACE_H_
