// trace/internal/session.h: one recording from its beginning to its file.
// What      a thread of the runtime's own reads the streams while they grow and writes the file. It has
//           no P, so it takes no turn from a goroutine and appears in no trace.
// Layer     7. Contract  | call         | goroutine | g0 | foreign thread | signal handler |
//                        | SessionStart |     x     | -  |       -        |       -        |
//                        | FlightStart  |     x     | -  |       -        |       -        |
//                        | SessionStop, FlightWrite, FlightStop | x | x  | x  |       -        |
//                        | SessionFlush |     x     | x  |       x        |       x        |
#ifndef GORT_TRACE_INTERNAL_SESSION_H_
#define GORT_TRACE_INTERNAL_SESSION_H_

#include <cstddef>
#include <cstdint>

namespace gort::rt {

struct SessionResult {
  enum Kind : uint8_t {
    kOk,
    kBusy,    // Start: one is on
    kNone,    // Stop: none is on
    kSystem,  // error says what the system said of the file
  };
  Kind kind = kOk;
  int error = 0;  // an errno
};

// Memory for the events of a file; half of it is used before they are put aside. A test makes it small.
inline constexpr size_t kSessionBytes = size_t{128} << 20;
inline constinit size_t session_bytes = kSessionBytes;

// Begins to record to a file, which is made or emptied. Stops the world for a moment.
SessionResult SessionStart(const char* path);
// Ends the recording; returns when the file is complete. kSystem: it is not.
SessionResult SessionStop();
// Begins to keep the last events, as many as fit into so many bytes. on_failure: the file that they are
// written to when the process dies of a fatal error, a fault or an exception; empty: none. stall_path: the
// file that they are written to when the program has stalled for so long (stall.h), once. Both are copied.
SessionResult FlightStart(size_t bytes, const char* on_failure, const char* stall_path,
                          int64_t stall_ns);
// Writes what is kept to a file. kNone: nothing is.
SessionResult FlightWrite(const char* path);
SessionResult FlightStop();

// Completes the file of a process that is about to die, if there is one: waits as long as the reader writes.
void SessionFlush();

// Starts what GODEBUG=trace=FILE asks for, to be stopped when the process exits or dies. Says on stderr
// if it cannot. The main goroutine.
void SessionFromEnvironment(const char* path);

}  // namespace gort::rt

#endif  // GORT_TRACE_INTERNAL_SESSION_H_
