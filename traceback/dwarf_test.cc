// Debug information that is wrong does no harm. That what is right is found: tests/debugger/reports_test.py.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "gort/platforms/elf_sections.h"
#include "gort/traceback/dwarf_cursor.h"
#include "gort/traceback/dwarf_line.h"
#include "gort/traceback/dwarf_unit.h"
#include "gort/traceback/lines.h"
#include "gort/traceback/symbolize.h"

namespace gort::rt {
namespace {

ElfBytes Own(const char* name) {
  static const ElfBytes file = ElfMap("/proc/self/exe");
  return ElfSection(file, name);
}

TEST(DwarfCursor, PastTheEndEverythingIsZero) {
  const uint8_t bytes[] = {0x7f, 0xff};
  DwarfCursor c({bytes, 2});
  EXPECT_EQ(c.U8(), 0x7f);
  EXPECT_EQ(c.U32(), 0u);
  EXPECT_TRUE(c.done());
  EXPECT_EQ(c.Uleb(), 0u);
  EXPECT_EQ(c.Sleb(), 0);
  EXPECT_STREQ(c.Str(), "");
  EXPECT_STREQ(DwarfCursor({bytes, 2}).Str(), "");  // without an end
  EXPECT_TRUE(DwarfCursor({bytes, 2}, 100).done());
  EXPECT_TRUE(DwarfCursor().done());
}

TEST(DwarfCursor, NumbersOfAnyLength) {
  const uint8_t bytes[] = {0xe5, 0x8e, 0x26, 0xc0, 0xbb, 0x78};
  DwarfCursor c({bytes, 6});
  EXPECT_EQ(c.Uleb(), 624485u);
  EXPECT_EQ(c.Sleb(), -123456);
}

// Its length, 2^64 - 11, leads back to where the instruction begins.
TEST(DwarfLines, AnInstructionOfAnyLengthEnds) {
  const uint8_t bytes[] = {
      27, 0,    0,    0,        // of the rest
      4,  0,                    // version
      8,  0,    0,    0,        // of the rest of the header
      1,  1,    1,    0,    1,  // instructions, is_stmt, line_base, line_range
      1,                        // opcode_base: no standard ones
      0,  0,                    // no directories, no files
      0,  0xf5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x80, 0,
  };
  static_assert(sizeof bytes == 31);
  DwarfStrings strings;
  strings.line = {bytes, sizeof bytes};
  const DwarfLines lines(strings, 0);
  ASSERT_TRUE(lines.ok());
  uint64_t file = 0;
  uint64_t line = 0;
  EXPECT_FALSE(lines.Find(0x1234, &file, &line));
}

// Reads every line program and every entry.
void ReadAll(const DwarfObject& object) {
  DwarfUnit unit;
  for (size_t at = 0; at < object.info.n;) {
    if (!ReadUnit(object, &at, &unit)) continue;
    DwarfEntry e;
    for (DwarfCursor c = EntriesOf(object, unit, unit.entries); !c.done();) {
      if (ReadEntry(object, unit, &c, &e)) CoversAddr(object, unit, e, 0x1234);
    }
    if (!unit.has_lines) continue;
    const DwarfLines lines(object.strings, unit.lines);
    uint64_t file = 0;
    uint64_t line = 0;
    lines.Find(~uint64_t{0} - 1, &file, &line);
    for (uint64_t n : {0, 1, 1000}) lines.FileOf(n);
  }
}

// What is read again takes memory again, which is never given back.
TEST(Lines, AnAddressIsReadOnceThoughAnotherHasItsSlot) {
  Symbol one;
  ASSERT_TRUE(Symbolize(reinterpret_cast<uintptr_t>(&ReadAll) + 4, &one));
  const SourceLine* const lines = LinesOf(one).at;
  if (lines == nullptr) GTEST_SKIP() << "built without debug information";
  Symbol other = one;
  other.offset += 2 * 4096;
  LinesOf(other);
  EXPECT_EQ(LinesOf(one).at, lines);
}

// A copy of a section's beginning, with n bytes changed.
class Broken {
 public:
  Broken(ElfBytes from, size_t n, std::mt19937* random)
      : bytes_(from.p, from.p + std::min<size_t>(from.n, 20'000)) {
    for (size_t i = 0; i < n && !bytes_.empty(); ++i) {
      bytes_[(*random)() % bytes_.size()] = static_cast<uint8_t>((*random)());
    }
    if (!bytes_.empty() && (*random)() % 2 == 0) bytes_.resize((*random)() % bytes_.size());
  }
  ElfBytes get() const { return {bytes_.data(), bytes_.size()}; }

 private:
  std::vector<uint8_t> bytes_;
};

TEST(Dwarf, WhatIsWrongDoesNoHarm) {
  constexpr int kRounds = 60;
  // Objects are known by their address, and for ever.
  static DwarfObject objects[kRounds];
  if (Own(".debug_info").n == 0) GTEST_SKIP() << "built without debug information";
  for (int i = 0; i < kRounds; ++i) {
    SCOPED_TRACE(i);
    std::mt19937 random(static_cast<unsigned>(i));
    const size_t changes = static_cast<size_t>(i) % 20;
    const Broken info(Own(".debug_info"), changes, &random);
    const Broken abbrev(Own(".debug_abbrev"), changes, &random);
    const Broken line(Own(".debug_line"), changes, &random);
    const Broken line_str(Own(".debug_line_str"), changes, &random);
    const Broken str(Own(".debug_str"), changes, &random);
    const Broken rnglists(Own(".debug_rnglists"), changes, &random);
    DwarfObject& o = objects[i];
    o.info = info.get();
    o.abbrev = abbrev.get();
    o.rnglists = rnglists.get();
    o.strings = {line.get(), line_str.get(), str.get()};
    ReadAll(o);
  }
}

}  // namespace
}  // namespace gort::rt
