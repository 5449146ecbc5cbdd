#include "gort/profile/internal/cpu_use.h"

#include <atomic>
#include <utility>

#include "gort/proc/on_goroutine.h"
#include "gort/profile/internal/out_file.h"

namespace gort::rt {
namespace {

// The call that brings the state from kNone, or from the use that it ends, to kChanging owns what
// follows here.
enum class CpuUse { kNone, kChanging, kFile, kTake };
constinit std::atomic<CpuUse> cpu_use{CpuUse::kNone};
struct CpuFile {
  OutFile file;
  std::string path;
};
CpuFile& TheCpuFile() {
  static CpuFile* const it = new CpuFile;  // never destroyed: goroutines may outlive static objects
  return *it;
}

bool Change(CpuUse from) {
  return cpu_use.compare_exchange_strong(from, CpuUse::kChanging, std::memory_order_acq_rel);
}
void Become(CpuUse to) { cpu_use.store(to, std::memory_order_release); }

CpuEnd Begin(std::string_view path, int hz) {
  CpuFile& to = TheCpuFile();
  to.path = path;
  if (!path.empty()) {
    const int error = to.file.Open(to.path);
    if (error != 0) return {.error = error, .path = to.path};
  }
  const CpuEnd begun = {.result = OnAGoroutine([hz] { return CpuStart(hz); })};
  if (!begun.ok()) to.file = OutFile();
  return begun;
}

}  // namespace

CpuEnd CpuBegin(std::string_view path, int hz) {
  if (!Change(CpuUse::kNone)) return {.result = CpuResult::kBusy};
  CpuEnd begun = Begin(path, hz);
  const CpuUse use = path.empty() ? CpuUse::kTake : CpuUse::kFile;
  Become(begun.ok() ? use : CpuUse::kNone);
  return begun;
}

CpuEnd CpuFinish() {
  if (!Change(CpuUse::kFile)) return {.result = CpuResult::kOff};
  std::string profile;
  CpuFile& to = TheCpuFile();
  CpuEnd ended = {.result = CpuStop(&profile), .path = to.path};
  OutFile file = std::move(to.file);
  if (ended.ok()) ended.error = file.WriteAndClose(profile);
  Become(CpuUse::kNone);
  return ended;
}

CpuEnd CpuTake(std::string* profile) {
  if (!Change(CpuUse::kTake)) return {.result = CpuResult::kOff};
  CpuEnd ended = {.result = CpuStop(profile)};
  Become(CpuUse::kNone);
  return ended;
}

const char* CpuResultText(CpuResult r) {
  switch (r) {
    case CpuResult::kOk:
      return "profile: ok";
    case CpuResult::kBusy:
      return "profile: already recording";
    case CpuResult::kOff:
      return "profile: not recording";
    case CpuResult::kNoTimers:
      break;
  }
  return "profile: the system has no timers left";
}

}  // namespace gort::rt
