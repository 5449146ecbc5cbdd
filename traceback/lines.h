// traceback/lines.h: which lines of which functions an address was compiled from.
// What      the reader of debug information (-g, -g1) that tracebacks use: file, line, and the
//           functions that the compiler has put into the one that has the symbol.
// Why own   a report is printed when the heap may be locked, broken or exhausted. libdw allocates from
//           it, and Debian has no libbacktrace. This one maps files, reads them where they are, and
//           keeps what it found in memory of its own.
// Not read  compressed sections, and debug information in files of its own (-gsplit-dwarf,
//           .gnu_debuglink): such addresses have no lines.
// Layer     5. Signal handlers: yes. Thread-safe, without locks.          Go: funcline, inlinedCall
#ifndef GORT_TRACEBACK_LINES_H_
#define GORT_TRACEBACK_LINES_H_

#include "gort/traceback/symbolize.h"

namespace gort::rt {

// A function at an address.
struct SourceLine {
  const char* function;  // its name for people; null: the symbol has it
  const char* dir;       // "" when `file` says all
  const char* file;
  int line;               // 0: unknown
  const char* decl_file;  // where the function is declared; a lambda: where it stands
  int decl_line;          // 0: unknown
};

// The innermost first; the last is the one that has the symbol.
struct SourceLines {
  static constexpr int kMax = 24;
  int n = 0;
  const SourceLine* at = nullptr;
};

// What source_lines_hook (frame_printer.h) shall be. The lines of the address that `symbol` was looked
// up for; n is 0 without debug information. What it returns lives for ever.
SourceLines LinesOf(const Symbol& symbol);

}  // namespace gort::rt

#endif  // GORT_TRACEBACK_LINES_H_
