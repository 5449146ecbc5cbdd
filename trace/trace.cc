#include "gort/trace/trace.h"

#include <atomic>
#include <string>

#include "gort/gmp/sched.h"
#include "gort/gmp/trace_hook.h"
#include "gort/platforms/futex.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/trace/internal/recorder.h"
#include "gort/trace/internal/session.h"

namespace gort::trace {
namespace {

using rt::SessionResult;

// The calling thread has no P to stop the world from: a goroutine starts the recording for it.
SessionResult StartForThread(const char* path) {
  struct Call {
    SessionResult result;
    std::atomic<uint32_t> done{0};
  } call;
  // A system goroutine: one that is there for a moment is no goroutine of the program's.
  rt::GoSystem([&call, path] {
    call.result = rt::SessionStart(path);
    call.done.store(1, std::memory_order_release);
    rt::FutexWake(&call.done, 1);
  });
  while (call.done.load(std::memory_order_acquire) == 0) rt::FutexSleep(&call.done, 0, -1);
  return call.result;
}

}  // namespace

absl::Status Start(std::string_view path) {
  if (!rt::sched.main_started.load()) {
    return absl::FailedPreconditionError("trace: the runtime has not started");
  }
  const std::string name(path);
  const SessionResult r =
      rt::OnGoroutine() ? rt::SessionStart(name.c_str()) : StartForThread(name.c_str());
  switch (r.kind) {
    case SessionResult::kOk:
      return absl::OkStatus();
    case SessionResult::kSystem:
      return absl::ErrnoToStatus(r.error, "trace: " + name);
    default:
      return absl::FailedPreconditionError("trace: already recording");
  }
}

absl::Status Stop() {
  const SessionResult r = rt::SessionStop();
  switch (r.kind) {
    case SessionResult::kOk:
      return absl::OkStatus();
    case SessionResult::kSystem:
      return absl::ErrnoToStatus(r.error, "trace: the file is not complete");
    default:
      return absl::FailedPreconditionError("trace: not recording");
  }
}

bool Recording() { return rt::Tracing(); }

Region::Region(std::string_view name) : begun_(rt::Tracing()) {
  if (begun_) rt::RecordText(rt::kRecRegionBegin, name);
}

Region::~Region() {
  if (begun_) rt::RecordEnd(rt::kRecRegionEnd);
}

void Log(std::string_view text) { rt::RecordText(rt::kRecLog, text); }

Task::Task(std::string_view name, const Task* parent) {
  static constinit std::atomic<uint64_t> next{1};
  id_ = next.fetch_add(1, std::memory_order_relaxed);
  rt::RecordTaskBegin(id_, parent != nullptr ? parent->id_ : 0, name);
}

Task::~Task() { rt::RecordTaskEnd(id_); }

}  // namespace gort::trace
