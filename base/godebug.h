// base/godebug.h: the GODEBUG environment variable.
// What      comma separated key=value pairs with integer values, parsed once by schedinit.
// Layer     1. Parsing is single-threaded, allocates nothing; afterwards the fields are read-only
//           and may be read from any stack.                                Go: parsedebugvars
// Errors    unknown keys are ignored; a known key whose value is missing, malformed or out of range
//           is reported in one line on stderr and keeps what it had. Of several settings of one key
//           the last good one holds.
#ifndef GORT_BASE_GODEBUG_H_
#define GORT_BASE_GODEBUG_H_

#include <cstdint>

namespace gort::rt {

struct Godebug {
  int64_t schedtrace = 0;       // period of the SCHED line in milliseconds; 0: off
  int64_t scheddetail = 0;      // 1: P, M and G lines too
  int64_t inittrace = 0;        // 1: print every start-up step with its duration
  int64_t asyncpreemptoff = 0;  // 1: no pre-emption by signals
  int64_t preemptrate = 0;      // 0: every 10 ms; else how often a second goroutines are pre-empted
  int64_t preemptsignal = 0;    // 0: SIGURG; else the number of the signal that pre-empts
  int64_t scavtrace = 0;        // 1: print what the scavenger released
  int64_t schedseed = 0;        // non-zero: seed of every scheduling decision
  int64_t stackguard = 0;  // 0: the best guard there is; 1: mprotect budget; 2: canary (for tests)
  int64_t tracebackancestors = 0;  // how many creators a traceback names
};

// The process-wide settings. Constant after ParseGodebug.
extern Godebug godebug;

// Reads text ("schedtrace=1000,inittrace=1"; null: nothing) into *out. Keys that text does not name
// keep their values. Go: parsedebugvars (runtime1.go).
void ParseGodebug(const char* text, Godebug* out);

// Parses a decimal integer ("-7", "+7", "007"; no spaces) that fills [s, s + n) whole. False: not
// one, or out of int64_t; *out is then left as it was. Go: atoi64 (string.go).
bool ParseInt64(const char* s, uint64_t n, int64_t* out);

}  // namespace gort::rt

#endif  // GORT_BASE_GODEBUG_H_
