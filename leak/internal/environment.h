// leak/internal/environment.h: what GODEBUG says about the search for leaks.
// Layer     9. For runtime/: the main goroutine, before the program's main function.
#ifndef GORT_LEAK_INTERNAL_ENVIRONMENT_H_
#define GORT_LEAK_INTERNAL_ENVIRONMENT_H_

namespace gort::rt {

// leakcheck: a goroutine of the runtime's own searches from now on, and prints each goroutine that it
// names, once, to stderr.
void LeaksFromEnvironment();

}  // namespace gort::rt

#endif  // GORT_LEAK_INTERNAL_ENVIRONMENT_H_
