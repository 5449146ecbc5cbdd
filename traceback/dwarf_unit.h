// traceback/dwarf_unit.h: the entries of debug information, as far as tracebacks ask.
// What      units of .debug_info (DWARF 2 to 5), their entries one after the other, and of an entry
//           the attributes that say where a function's code is, what it is called, and where it was
//           called from.
// Layer     5. Package-internal. Async-signal-safe. A DwarfObject's tables of abbreviations are made
//           on first use, from PermanentAlloc's memory; the rest allocates nothing.
#ifndef GORT_TRACEBACK_DWARF_UNIT_H_
#define GORT_TRACEBACK_DWARF_UNIT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "gort/traceback/dwarf_cursor.h"
#include "gort/traceback/dwarf_forms.h"
#include "gort/traceback/dwarf_line.h"

namespace gort::rt {

enum DwarfTag : unsigned {
  kTagClass = 0x02,
  kTagLexicalBlock = 0x0b,
  kTagStructure = 0x13,
  kTagUnion = 0x17,
  kTagInlined = 0x1d,
  kTagSubprogram = 0x2e,
  kTagNamespace = 0x39,
};

// Memory for as long as the process lives, zeroed; null: none left. Async-signal-safe.
void* PermanentAlloc(size_t bytes);

// Abbreviation codes of a unit. Constant once made.
struct DwarfAbbrevs {
  uint64_t n = 0;  // codes are below it
  const uint8_t* const* at =
      nullptr;  // where the declaration of a code stands, behind the code; null: none
};

// The sections of a file.
struct DwarfObject {
  ElfBytes info, abbrev, ranges, rnglists, addr, str_offsets;
  DwarfStrings strings;

  // Of the file `path`; without debug information: info is empty.
  static DwarfObject Of(const char* path);
};

struct DwarfUnit {
  size_t begin = 0;    // of the header, in .debug_info
  size_t entries = 0;  // of the first entry
  size_t end = 0;
  size_t abbrev = 0;
  unsigned version = 0;
  unsigned addr_bytes = 8;
  bool wide = false;
  const DwarfAbbrevs* abbrevs = nullptr;
  // From the first entry.
  bool has_lines = false;
  uint64_t lines = 0;  // in .debug_line
  uint64_t base = 0;   // what offsets in lists of ranges count from
  uint64_t str_offsets_base = 0;
  uint64_t addr_base = 0;
  uint64_t rnglists_base = 0;
};

// A value that is a number, a string, or a place.
struct DwarfValue {
  unsigned form = 0;  // 0: the entry does not have it
  uint64_t number = 0;
  const char* text = nullptr;
};

struct DwarfEntry {
  size_t at = 0;  // in .debug_info
  unsigned tag = 0;
  bool has_children = false;
  DwarfValue low_pc, high_pc, ranges, name, linkage_name, origin, specification, stmt_list;
  DwarfValue call_file, call_line, decl_file, decl_line;
};

// Reads the unit whose header is at *at, and moves *at behind it. False: there is none that we can read;
// *at is then behind it, or at the end.
bool ReadUnit(const DwarfObject& object, size_t* at, DwarfUnit* unit);
// How many calls of ReadUnit lead to the end.
size_t CountUnits(const DwarfObject& object);
// Reads the entry at the cursor, and moves behind it. False: the entry is empty, the end of a list of
// children.
bool ReadEntry(const DwarfObject& object, const DwarfUnit& unit, DwarfCursor* c, DwarfEntry* entry);
// A cursor of the unit's entries at an offset in .debug_info.
DwarfCursor EntriesOf(const DwarfObject& object, const DwarfUnit& unit, size_t at);
// Whether the code of the entry covers addr.
bool CoversAddr(const DwarfObject& object, const DwarfUnit& unit, const DwarfEntry& entry,
                uint64_t addr);
// The offset in .debug_info that a reference leads to; 0: none.
size_t TargetOf(const DwarfUnit& unit, const DwarfValue& reference);

}  // namespace gort::rt

#endif  // GORT_TRACEBACK_DWARF_UNIT_H_
