#include "gort/profile/internal/environment.h"

#include <cstdlib>
#include <cstring>

#include "gort/base/godebug.h"
#include "gort/base/throw.h"
#include "gort/profile/internal/cpu_use.h"
#include "gort/profile/internal/stacks.h"

namespace gort::rt {
namespace {

void Complain(const CpuEnd& end) {
  Printer p;
  p << "gort: GODEBUG: cpuprofile: ";
  if (end.result != CpuResult::kOk) {
    p << CpuResultText(end.result) << '\n';
  } else {
    p << "profile: " << end.path.c_str() << ": " << strerror(end.error) << '\n';
  }
}

// The program may have ended the recording itself, and a child of fork(2) has none.
void StopAtExit() {
  const CpuEnd ended = CpuFinish();
  if (!ended.ok() && ended.result != CpuResult::kOff) Complain(ended);
}

}  // namespace

void ProfilesFromEnvironment() {
  if (godebug.memprofilerate != 0) HeapRate(godebug.memprofilerate);
  if (godebug.cpuprofile[0] == '\0') return;
  const CpuEnd begun = CpuBegin(godebug.cpuprofile, kCpuHz);
  if (!begun.ok()) return Complain(begun);
  atexit(&StopAtExit);
}

}  // namespace gort::rt
