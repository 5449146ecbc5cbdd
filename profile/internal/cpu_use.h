// profile/internal/cpu_use.h: what the recording of the CPU that is on is for: a file, or for who takes it.
// What      StartCpu, StopCpu and TakeCpu without absl::Status, so that runtime/ can begin a recording that
//           the environment asks for, and programs without a profile need no library of Abseil's.
// Layer     8. A goroutine, or a thread that gort did not make.
#ifndef GORT_PROFILE_INTERNAL_CPU_USE_H_
#define GORT_PROFILE_INTERNAL_CPU_USE_H_

#include <string>
#include <string_view>

#include "gort/profile/internal/cpu.h"

namespace gort::rt {

struct CpuEnd {
  CpuResult result = CpuResult::kOk;
  int error = 0;          // errno of a file, with result kOk
  std::string path = {};  // of that file

  bool ok() const { return result == CpuResult::kOk && error == 0; }
};

// path: the file to be written at the end, which is opened now; empty: for CpuTake. hz: 1 to 1000.
CpuEnd CpuBegin(std::string_view path, int hz);
// Ends a recording for a file, and writes it.
CpuEnd CpuFinish();
// Ends one without a file; *profile gets the bytes.
CpuEnd CpuTake(std::string* profile);
// What went wrong, without the file's part: "profile: not recording".
const char* CpuResultText(CpuResult r);

}  // namespace gort::rt

#endif  // GORT_PROFILE_INTERNAL_CPU_USE_H_
