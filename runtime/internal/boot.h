// runtime/internal/boot.h: from a thread with a stack to the scheduler's loop.
// What      RtGo is Go's rt0_go: it binds the calling thread to m0, checks the ground, runs
//           schedinit, makes the first goroutine and enters the loop. Both ways into gort end here:
//           rt0's main with the process's first thread, Run with a thread of its own
//           (docs/adr/0003).
// Layer     13.
#ifndef GORT_RUNTIME_INTERNAL_BOOT_H_
#define GORT_RUNTIME_INTERNAL_BOOT_H_

namespace gort::rt {

// What the first goroutine does.
struct BootMain {
  // Runs on the first goroutine; its result is handed to `done`.
  int (*run)(void* arg);
  // Called with that result, on the first goroutine. For a program's main it ends the process.
  void (*done)(void* arg, int result);
  void* arg;
};

// Called once in a process, on a thread without a G, and does not return: the loop of m0 has no
// end. *main must live for as long as the first goroutine.
void RtGo(int argc, char** argv, const BootMain* main);

// The program's main function, as a goroutine; ends the process with its result. argc and argv as
// the kernel gave them. For rt0.
[[noreturn]] void RunProgram(int argc, char** argv, int (*main)(int, char**));

}  // namespace gort::rt

#endif  // GORT_RUNTIME_INTERNAL_BOOT_H_
