// runtime/internal/terminate.h: the report for an exception that nobody caught.
// Layer     13.
#ifndef GORT_RUNTIME_INTERNAL_TERMINATE_H_
#define GORT_RUNTIME_INTERNAL_TERMINATE_H_

namespace gort::rt {

// Makes std::terminate on a goroutine print "panic: <what()>", the goroutine and its traceback, and
// exit with status 2. On other threads the handler that was there before is called. The frames that
// threw are still there: a goroutine's outermost frame ends the search for a handler (gort_goexit
// has no caller), and a search that finds none does not unwind.
void InstallTerminateHandler();

}  // namespace gort::rt

#endif  // GORT_RUNTIME_INTERNAL_TERMINATE_H_
