// traceback/dwarf_line.h: which line of which file an address was compiled from.
// What      runs the line number program of a unit (DWARF 2 to 5, chapter 6.2) up to an address.
// Layer     5. Package-internal. Allocates nothing; async-signal-safe. Pure.
#ifndef GORT_TRACEBACK_DWARF_LINE_H_
#define GORT_TRACEBACK_DWARF_LINE_H_

#include <cstddef>
#include <cstdint>

#include "gort/platforms/elf_sections.h"
#include "gort/traceback/dwarf_cursor.h"

namespace gort::rt {

// The sections that name files.
struct DwarfStrings {
  ElfBytes line;      // .debug_line
  ElfBytes line_str;  // .debug_line_str
  ElfBytes str;       // .debug_str
};

struct DwarfFile {
  const char* dir = "";  // "" when the name says all
  const char* name = "";
};

// The header of the line number program at an offset, and what it says.
class DwarfLines {
 public:
  DwarfLines(const DwarfStrings& strings, size_t offset);
  // False: the header is wrong, or newer than version 5.
  bool ok() const { return ok_; }
  // The row that addr belongs to. False: none. Line 0: the compiler knows none.
  bool Find(uint64_t addr, uint64_t* file, uint64_t* line) const;
  // The file with that number, as rows, calls and declarations name it.
  DwarfFile FileOf(uint64_t number) const;

 private:
  struct Entry {
    const char* name = "";
    uint64_t dir = 0;
  };
  struct Formats;
  Entry ReadEntry(DwarfCursor* c, const Formats& formats) const;
  // Entry `number` of a version 5 table; *c moves behind the table. found: may be null.
  void Table(DwarfCursor* c, uint64_t number, Entry* found) const;
  DwarfFile FileOf5(uint64_t number) const;
  DwarfFile FileOf4(uint64_t number) const;

  const DwarfStrings& strings_;
  DwarfCursor tables_;   // at the directories
  DwarfCursor program_;  // at the first instruction, ends with the last
  const uint8_t* operands_ = nullptr;
  unsigned version_ = 0;
  unsigned min_length_ = 1;
  int line_base_ = 0;
  unsigned line_range_ = 1;
  unsigned opcode_base_ = 1;
  bool wide_ = false;
  bool ok_ = false;
};

}  // namespace gort::rt

#endif  // GORT_TRACEBACK_DWARF_LINE_H_
