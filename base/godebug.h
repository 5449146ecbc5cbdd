// base/godebug.h: the GODEBUG environment variable.
// What      comma separated key=value pairs, parsed once by schedinit. The keys are in
//           base/godebug_keys.h.
// Layer     1. Parsing is single-threaded, allocates nothing; afterwards the fields are read-only
//           and may be read from any stack.                                Go: parsedebugvars
// Errors    an unknown key is ignored. A known key whose value is missing, malformed or out of range
//           is reported in one line on stderr and keeps the value it had. When a key is set more
//           than once, its last valid value holds.
#ifndef GORT_BASE_GODEBUG_H_
#define GORT_BASE_GODEBUG_H_

#include <cstdint>

#include "gort/base/godebug_keys.h"

namespace gort::rt {

inline constexpr uint64_t kGodebugTextBytes = 512;  // of a text, its zero included

struct Godebug {
#define GORT_X(name, max, meaning) int64_t name = 0;
  GORT_GODEBUG_KEYS(GORT_X)
#undef GORT_X
#define GORT_X(name, meaning) char name[kGodebugTextBytes] = {};
  GORT_GODEBUG_TEXT_KEYS(GORT_X)
#undef GORT_X
};

// The process-wide settings. Constant after ParseGodebug.
extern Godebug godebug;

// Reads text ("schedtrace=1000,inittrace=1"; null means "") into *out. A key that the text does not
// name keeps its value. Go: parsedebugvars (runtime1.go).
void ParseGodebug(const char* text, Godebug* out);

// Parses [s, s + n), all of it, as a decimal integer ("-7", "+7", "007"; no spaces). Returns false
// and leaves *out alone when the text is no such integer or does not fit. Go: atoi64 (string.go).
bool ParseInt64(const char* s, uint64_t n, int64_t* out);

}  // namespace gort::rt

#endif  // GORT_BASE_GODEBUG_H_
