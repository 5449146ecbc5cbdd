#include "gort/traceback/dwarf_line.h"

#include "gort/traceback/dwarf_forms.h"

namespace gort::rt {
namespace {

enum : unsigned { kPath = 1, kDirectoryIndex = 2 };  // DW_LNCT

// One sequence of rows, as the program makes them.
struct Row {
  uint64_t addr = 0;
  uint64_t file = 1;
  int64_t line = 1;
};

// Sees rows in order, and keeps the one that an address belongs to: the last row of its sequence whose
// address is not behind it.
class Match {
 public:
  explicit Match(uint64_t addr) : addr_(addr) {}
  // True: found.
  bool Add(const Row& row, bool ends_sequence) {
    // Where the linker has left a function out, its rows begin at 0 or 1.
    const bool hit = any_ && last_.addr > 1 && last_.addr <= addr_ && addr_ < row.addr;
    if (hit) return true;
    any_ = !ends_sequence;
    last_ = row;
    return false;
  }
  const Row& row() const { return last_; }

 private:
  uint64_t addr_;
  bool any_ = false;
  Row last_;
};

}  // namespace

DwarfLines::DwarfLines(const DwarfStrings& strings, size_t offset) : strings_(strings) {
  DwarfCursor c(strings.line, offset);
  const uint64_t bytes = c.Length(&wide_);
  if (bytes == 0 || bytes > strings.line.n - c.at()) return;
  c.EndAt(c.at() + bytes);
  version_ = c.U16();
  if (version_ < 2 || version_ > 5) return;
  if (version_ >= 5) c.Skip(2);  // sizes of addresses and segments
  const uint64_t header = c.Offset(wide_);
  program_ = c;
  program_.Skip(header);
  min_length_ = c.U8();
  if (version_ >= 4) c.Skip(1);  // operations of an instruction: 1 on our CPUs
  c.Skip(1);                     // is_stmt
  line_base_ = static_cast<int8_t>(c.U8());
  line_range_ = c.U8();
  opcode_base_ = c.U8();
  operands_ = strings.line.p + c.at();
  c.Skip(opcode_base_ - 1u);
  tables_ = c;
  ok_ = line_range_ != 0 && opcode_base_ != 0 && !c.done();
}

bool DwarfLines::Find(uint64_t addr, uint64_t* file, uint64_t* line) const {
  if (!ok_) return false;
  Match match(addr);
  Row row;
  bool found = false;
  auto advance = [&](uint64_t n) { row.addr += n * min_length_; };
  for (DwarfCursor c = program_; !found && !c.done();) {
    const unsigned op = c.U8();
    if (op >= opcode_base_) {
      const unsigned n = op - opcode_base_;
      advance(n / line_range_);
      row.line += line_base_ + static_cast<int>(n % line_range_);
      found = match.Add(row, false);
    } else if (op == 0) {
      const uint64_t bytes = c.Uleb();
      DwarfCursor next = c;
      next.Skip(bytes);
      const unsigned extended = c.U8();
      if (extended == 1) {  // DW_LNE_end_sequence
        found = match.Add(row, true);
        row = Row{};
      } else if (extended == 2) {  // DW_LNE_set_address
        row.addr = c.Fixed(bytes > 1 && bytes <= 9 ? bytes - 1 : 8);
      }
      c = next;
    } else {
      switch (op) {
        case 1:  // DW_LNS_copy
          found = match.Add(row, false);
          break;
        case 2:  // DW_LNS_advance_pc
          advance(c.Uleb());
          break;
        case 3:  // DW_LNS_advance_line
          row.line += c.Sleb();
          break;
        case 4:  // DW_LNS_set_file
          row.file = c.Uleb();
          break;
        case 8:  // DW_LNS_const_add_pc
          advance((255 - opcode_base_) / line_range_);
          break;
        case 9:  // DW_LNS_fixed_advance_pc
          row.addr += c.U16();
          break;
        default:
          for (unsigned i = operands_[op - 1]; i > 0; --i) c.Uleb();
      }
    }
  }
  if (!found) return false;
  *file = match.row().file;
  *line = static_cast<uint64_t>(match.row().line);
  return true;
}

DwarfFile DwarfLines::FileOf(uint64_t number) const {
  if (!ok_) return {};
  return version_ >= 5 ? FileOf5(number) : FileOf4(number);
}

// Version 5: tables that say of what their entries consist.
struct DwarfLines::Formats {
  static constexpr unsigned kMax = 8;
  unsigned n = 0;
  struct {
    unsigned content;
    unsigned form;
  } of[kMax];
};

DwarfLines::Entry DwarfLines::ReadEntry(DwarfCursor* c, const Formats& formats) const {
  Entry entry;
  for (unsigned i = 0; i < formats.n; ++i) {
    const unsigned form = formats.of[i].form;
    if (formats.of[i].content == kPath) {
      entry.name = DwarfPath(c, form, wide_, strings_.line_str, strings_.str);
    } else if (formats.of[i].content == kDirectoryIndex) {
      entry.dir = form == kFormUdata ? c->Uleb() : form == kFormData1 ? c->U8() : c->U16();
    } else {
      SkipForm(c, form, wide_, 8);
    }
  }
  return entry;
}

void DwarfLines::Table(DwarfCursor* c, uint64_t number, Entry* found) const {
  Formats formats;
  for (unsigned n = c->U8(); n > 0; --n) {
    const unsigned content = static_cast<unsigned>(c->Uleb());
    const unsigned form = static_cast<unsigned>(c->Uleb());
    if (formats.n < Formats::kMax) formats.of[formats.n++] = {content, form};
  }
  const uint64_t entries = c->Uleb();
  for (uint64_t i = 0; i < entries && !c->done(); ++i) {
    const size_t before = c->at();
    const Entry entry = ReadEntry(c, formats);
    if (c->at() == before) return;  // entries without content: the count may be any number
    if (found != nullptr && i == number) *found = entry;
  }
}

DwarfFile DwarfLines::FileOf5(uint64_t number) const {
  DwarfCursor dirs = tables_;
  DwarfCursor files = tables_;
  Table(&files, 0, nullptr);
  Entry file;
  Table(&files, number, &file);
  Entry dir;
  // Directory 0 is where the compiler ran: names are relative to it.
  if (file.dir != 0 && file.name[0] != '/') Table(&dirs, file.dir, &dir);
  return {dir.name, file.name};
}

// Before version 5 files and directories are counted from 1, and directory 0 is where the compiler ran.
DwarfFile DwarfLines::FileOf4(uint64_t number) const {
  DwarfCursor c = tables_;
  DwarfCursor dirs = tables_;
  while (!c.done() && c.Str()[0] != '\0') {
  }
  for (uint64_t i = 1; !c.done(); ++i) {
    const char* name = c.Str();
    if (name[0] == '\0') break;
    const uint64_t dir = c.Uleb();
    c.Uleb();  // time
    c.Uleb();  // bytes
    if (i != number) continue;
    const char* dir_name = "";
    for (uint64_t k = 1; k <= dir && name[0] != '/' && !dirs.done(); ++k) dir_name = dirs.Str();
    return {dir_name, name};
  }
  return {};
}

}  // namespace gort::rt
