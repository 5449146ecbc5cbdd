// malloc/testing/fork_library.h: a shared library with fork handlers, as many have them.
// What      its constructor, which runs before any of the program, registers handlers that hold the
//           library's lock over a fork; before the fork they allocate.
// Layer     tests only. Any thread.
#ifndef GORT_MALLOC_TESTING_FORK_LIBRARY_H_
#define GORT_MALLOC_TESTING_FORK_LIBRARY_H_

namespace gort::testing {

// Allocates and frees with the library's lock held.
void ForkLibraryWork();

// How often the handler before a fork has run.
int ForkLibraryPrepared();

}  // namespace gort::testing

#endif  // GORT_MALLOC_TESTING_FORK_LIBRARY_H_
