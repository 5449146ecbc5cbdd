// runtime/internal/run.h: a main function as a goroutine, from an ordinary program.
// Layer     13.
#ifndef GORT_RUNTIME_INTERNAL_RUN_H_
#define GORT_RUNTIME_INTERNAL_RUN_H_

#include <functional>

namespace gort {

// Runs main as a goroutine and returns its result, once that has returned; other goroutines go on.
// The first call in a process starts the runtime. From any thread, several at once, and again; from
// a goroutine it parks. The calling thread itself stays a foreign one and sleeps meanwhile. An
// exception that leaves main is an uncaught panic: report and exit status 2.
int Run(std::function<int()> main);

}  // namespace gort

#endif  // GORT_RUNTIME_INTERNAL_RUN_H_
