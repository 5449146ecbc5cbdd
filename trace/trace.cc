#include "gort/trace/trace.h"

#include <atomic>
#include <string>
#include <utility>

#include "gort/gmp/sched.h"
#include "gort/gmp/trace_hook.h"
#include "gort/proc/on_goroutine.h"
#include "gort/trace/internal/recorder.h"
#include "gort/trace/internal/session.h"

namespace gort::trace {
namespace {

using rt::SessionResult;

// of: what the system's complaint is about.
absl::Status ToStatus(SessionResult r, const std::string& of) {
  switch (r.kind) {
    case SessionResult::kOk:
      return absl::OkStatus();
    case SessionResult::kSystem:
      return absl::ErrnoToStatus(r.error, "trace: " + of);
    case SessionResult::kBusy:
      return absl::FailedPreconditionError("trace: already recording");
    case SessionResult::kNone:
      break;
  }
  return absl::FailedPreconditionError("trace: not recording");
}

bool RuntimeStarted() { return rt::sched.main_started.load(); }

absl::Status NotStarted() {
  return absl::FailedPreconditionError("trace: the runtime has not started");
}

}  // namespace

absl::Status Start(std::string_view path) {
  if (!RuntimeStarted()) return NotStarted();
  const std::string name(path);
  return ToStatus(rt::OnAGoroutine([&] { return rt::SessionStart(name.c_str()); }), name);
}

absl::Status Stop() { return ToStatus(rt::SessionStop(), "the file is not complete"); }

FlightRecorder::FlightRecorder() : FlightRecorder(Options{}) {}
FlightRecorder::FlightRecorder(Options options) : options_(std::move(options)) {}
FlightRecorder::~FlightRecorder() {
  if (on_.exchange(false)) static_cast<void>(rt::FlightStop());
}

absl::Status FlightRecorder::Start() {
  if (!RuntimeStarted()) return NotStarted();
  const SessionResult r = rt::OnAGoroutine([this] {
    return rt::FlightStart(options_.bytes, options_.on_failure.c_str(), options_.on_stall.c_str(),
                           options_.stall.count());
  });
  if (r.kind == SessionResult::kOk) on_.store(true);
  return ToStatus(r, options_.on_failure);
}

absl::Status FlightRecorder::WriteTo(std::string_view path) {
  const std::string name(path);
  return ToStatus(on_.load() ? rt::FlightWrite(name.c_str()) : SessionResult{SessionResult::kNone},
                  name);
}

absl::Status FlightRecorder::Stop() {
  if (!on_.load()) return ToStatus({SessionResult::kNone}, "");
  const SessionResult r = rt::FlightStop();
  if (r.kind == SessionResult::kOk) on_.store(false);
  return ToStatus(r, "");
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
