#include "gort/platforms/clock.h"

#include <time.h>

#include "gort/platforms/arch.h"

namespace gort::rt {
namespace {

int64_t Read(clockid_t clock) {
  timespec ts;
  clock_gettime(clock, &ts);
  return int64_t{ts.tv_sec} * 1'000'000'000 + ts.tv_nsec;
}

}  // namespace

int64_t Nanotime() { return Read(CLOCK_MONOTONIC); }
int64_t Walltime() { return Read(CLOCK_REALTIME); }

int64_t CpuTicks() { return arch::Ticks(); }

}  // namespace gort::rt
