#include "gort/profile/profile.h"

#include "gort/gmp/sched.h"
#include "gort/proc/on_goroutine.h"
#include "gort/profile/internal/cpu_use.h"
#include "gort/profile/internal/out_file.h"
#include "gort/profile/internal/stacks.h"

namespace gort::profile {
namespace {

using rt::CpuResult;

// error: 0, or an errno value.
absl::Status ToStatus(int error, std::string_view of) {
  if (error == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(error, "profile: " + std::string(of));
}

absl::Status ToStatus(const rt::CpuEnd& end) {
  if (end.result == CpuResult::kOk) return ToStatus(end.error, end.path);
  const char* text = rt::CpuResultText(end.result);
  return end.result == CpuResult::kNoTimers ? absl::ResourceExhaustedError(text)
                                            : absl::FailedPreconditionError(text);
}

}  // namespace

absl::Status StartCpu(std::string_view path, CpuOptions options) {
  if (!rt::sched.main_started.load()) {
    return absl::FailedPreconditionError("profile: the runtime has not started");
  }
  if (options.hz < 1 || options.hz > 1000) {
    return absl::InvalidArgumentError("profile: hz is not from 1 to 1000");
  }
  return ToStatus(rt::CpuBegin(path, options.hz));
}

absl::Status StopCpu() { return ToStatus(rt::CpuFinish()); }

absl::StatusOr<std::string> TakeCpu() {
  std::string profile;
  const absl::Status ended = ToStatus(rt::CpuTake(&profile));
  if (!ended.ok()) return ended;
  return profile;
}

std::string Read(Kind kind) {
  switch (kind) {
    case Kind::kGoroutine:
      return rt::OnAGoroutine([] { return rt::GoroutineProfile(); });
    case Kind::kBlock:
      return rt::BlockProfile();
    case Kind::kMutex:
      return rt::MutexProfile();
    case Kind::kHeap:
      break;
  }
  return rt::HeapProfile();
}

absl::Status Write(Kind kind, std::string_view path) {
  const std::string name(path);
  rt::OutFile file;
  const int error = file.Open(name);
  return ToStatus(error != 0 ? error : file.WriteAndClose(Read(kind)), name);
}

absl::Status Write(Kind kind, int fd) {
  return ToStatus(rt::WriteAll(fd, Read(kind)), "fd " + std::to_string(fd));
}

void SetBlockProfileRate(int64_t ns) { rt::BlockRate(ns); }
int SetMutexProfileFraction(int n) { return rt::MutexFraction(n); }
int64_t SetHeapProfileRate(int64_t bytes) { return rt::HeapRate(bytes); }

}  // namespace gort::profile
