// profile/internal/cpu.h: one recording of who uses the CPU.
// What      timers for all threads, the handler of their signal, and a thread that looks for new threads
//           and counts the stacks that the handlers have noted.
//
//             idle -> starting -> running -> ending -> done -> idle
//
// Counter   the thread is an M without a P that counts as a system's (Sched::nmsys): it runs no goroutine,
//           and keeps no deadlock report back. It makes no calls of the program's malloc.
// Layer     8.                                          Go: SetCPUProfileRate (cpuprof.go), profileWriter
#ifndef GORT_PROFILE_INTERNAL_CPU_H_
#define GORT_PROFILE_INTERNAL_CPU_H_

#include <cstdint>
#include <string>

namespace gort::rt {

enum class CpuResult {
  kOk,
  kBusy,      // it is on already
  kOff,       // it is not on
  kNoTimers,  // the system gives none
};

inline constexpr int kCpuHz = 100;  // unless somebody asks for another

// A goroutine. hz: 1 to 1000.
CpuResult CpuStart(int hz);
// Ends it, in the process that began it. A goroutine or a thread that gort did not make; blocks the thread.
// *profile gets the bytes.
CpuResult CpuStop(std::string* profile);

}  // namespace gort::rt

#endif  // GORT_PROFILE_INTERNAL_CPU_H_
