// traceback/ancestors.h: where a goroutine's creators were when they created it.
// What      with GODEBUG=tracebackancestors=N a new goroutine keeps the stack of its creator, of the
//           creator's creator and so on, N generations at most. Tracebacks print them below the
//           goroutine's own stack, in Go's form:
//
//             [originating from goroutine 6]:
//             worker(...)
//                 /path/to/program+0x2f1c
//             created by main()
//                 /path/to/program+0x1a80
//
// Layer     5.                 Go: ancestorInfo (runtime2.go), saveAncestors, printAncestorTraceback
// Ownership each goroutine has a copy of its own, so none outlives another's. It is const from
//           newproc to goexit.
#ifndef GORT_TRACEBACK_ANCESTORS_H_
#define GORT_TRACEBACK_ANCESTORS_H_

#include <cstdint>

#include "gort/base/throw.h"
#include "gort/gmp/g.h"

namespace gort::rt {

// Copies the creator's ancestors, and puts its stack from the frame that `gopc` returns to before
// them: `max` generations in all. Null: the creator is no goroutine, or there is no memory. Called
// by the creator itself. Allocates from the heap. Go: saveAncestors (proc.go)
Ancestors* SaveAncestors(const G* creator, uintptr_t gopc, int max);
void FreeAncestors(Ancestors* ancestors);

// Prints what gp keeps, if it keeps any. Requires: gp is the caller's, or frozen. Allocates nothing.
// (signal) Go: printAncestorTraceback (traceback.go)
void PrintAncestors(Printer& p, const G* gp);

}  // namespace gort::rt

#endif  // GORT_TRACEBACK_ANCESTORS_H_
