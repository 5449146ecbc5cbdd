// traceback/frame_filter.h: which functions a reader of a traceback wants to see.
// What      between a goroutine's function and gort_goexit stand a closure of gort's and some
//           std::__invoke; above a function that waits stand the runtime's own. They say nothing about the
//           program. GOTRACEBACK=system shows them.
// Layer     5. For tracebacks and profiles. Pure; async-signal-safe.      Go: showframe (traceback.go)
#ifndef GORT_TRACEBACK_FRAME_FILTER_H_
#define GORT_TRACEBACK_FRAME_FILTER_H_

namespace gort::rt {

// name: qualified, as Demangle writes it, or a C function's.
bool IsPlumbing(const char* name);
// One of gort's functions that start a goroutine for its caller (`WaitGroup::Go`), or plumbing: not who
// created it.
bool IsSpawner(const char* name);
// A function without a name in this object (its path) says nothing: the C library and C++'s.
bool IsSystemLibrary(const char* object);
// A header of gort's or of C++'s library, by its folder. What stands there and has no scope is as good as
// plumbing: little debug information (-g1) has no scopes.
bool IsLibraryFolder(const char* dir);
// A function of the runtime itself.
bool IsRuntime(const char* name);

}  // namespace gort::rt

#endif  // GORT_TRACEBACK_FRAME_FILTER_H_
