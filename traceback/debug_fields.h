// traceback/debug_fields.h: what debuggers must know of G, M and a saved context.
// What      a table of names with numbers and addresses, which debugger/gort_debug.py reads. So
//           goroutines are listed without debug information, and the script has no offsets of gort's
//           structures.
// Also      the object file carries the script itself (.debug_gdb_scripts), which gdb loads with the
//           program.
// Layer     5. Package-internal. Constant data.
#ifndef GORT_TRACEBACK_DEBUG_FIELDS_H_
#define GORT_TRACEBACK_DEBUG_FIELDS_H_

#include <cstdint>

namespace gort::rt {

struct DebugField {
  const char* name;  // null: the end of the table
  // "G.goid": an offset; "G.sizeof": bytes; "reg.rbp": an offset in a SwitchFrame. Seam: debuggers
  uint64_t number;
  const void* address;  // Seam: debuggers
};

}  // namespace gort::rt

extern "C" const gort::rt::DebugField gort_debug_fields[];

namespace gort::rt {

// Does nothing. The call keeps the table, and gdb's script, in the program.
void KeepDebugFields();

}  // namespace gort::rt

#endif  // GORT_TRACEBACK_DEBUG_FIELDS_H_
