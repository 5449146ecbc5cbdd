// traceback/dwarf_cursor.h: reads numbers and strings of debug information in order.
// What      the encodings of DWARF, chapter 7.6. Past the end every number is 0 and every string is
//           empty, and the cursor stays at the end, so a loop ends with done().
// Layer     5. Package-internal. Header-only. Allocates nothing; async-signal-safe.
#ifndef GORT_TRACEBACK_DWARF_CURSOR_H_
#define GORT_TRACEBACK_DWARF_CURSOR_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "gort/platforms/elf_sections.h"

namespace gort::rt {

class DwarfCursor {
 public:
  DwarfCursor() = default;
  // Of `bytes`, from offset `at` on.
  explicit DwarfCursor(ElfBytes bytes, size_t at = 0)
      : begin_(bytes.p), end_(bytes.p + bytes.n), p_(at < bytes.n ? bytes.p + at : end_) {}

  bool done() const { return p_ == end_; }
  size_t at() const { return static_cast<size_t>(p_ - begin_); }
  void Skip(uint64_t n) { p_ = n < Left() ? p_ + n : end_; }
  // Nothing is read from offset `at` on.
  void EndAt(size_t at) {
    if (at < static_cast<size_t>(end_ - begin_)) end_ = begin_ + at;
    if (p_ > end_) p_ = end_;
  }

  uint8_t U8() { return static_cast<uint8_t>(Fixed(1)); }
  uint16_t U16() { return static_cast<uint16_t>(Fixed(2)); }
  uint32_t U32() { return static_cast<uint32_t>(Fixed(4)); }
  uint64_t U64() { return Fixed(8); }
  // A little-endian number of 1 to 8 bytes. Both CPUs are little-endian.
  uint64_t Fixed(size_t bytes) {
    if (bytes > Left()) {
      p_ = end_;
      return 0;
    }
    uint64_t v = 0;
    memcpy(&v, p_, bytes);
    p_ += bytes;
    return v;
  }
  uint64_t Uleb() {
    uint64_t v = 0;
    for (unsigned shift = 0; p_ < end_; shift += 7) {
      const uint8_t b = *p_++;
      if (shift < 64) v |= uint64_t{b & 0x7fu} << shift;
      if ((b & 0x80) == 0) break;
    }
    return v;
  }
  int64_t Sleb() {
    uint64_t v = 0;
    unsigned shift = 0;
    uint8_t b = 0;
    while (p_ < end_) {
      b = *p_++;
      if (shift < 64) v |= uint64_t{b & 0x7fu} << shift;
      shift += 7;
      if ((b & 0x80) == 0) break;
    }
    if (shift < 64 && (b & 0x40) != 0) v |= ~uint64_t{0} << shift;
    return static_cast<int64_t>(v);
  }
  const char* Str() {
    const void* nul = Left() != 0 ? memchr(p_, 0, Left()) : nullptr;
    if (nul == nullptr) {
      p_ = end_;
      return "";
    }
    const char* s = reinterpret_cast<const char*>(p_);
    p_ = static_cast<const uint8_t*>(nul) + 1;
    return s;
  }
  // The length at the beginning of a unit; *wide says whether its offsets have 8 bytes.
  uint64_t Length(bool* wide) {
    uint64_t n = U32();
    *wide = n == 0xffffffff;
    return *wide ? U64() : n;
  }
  uint64_t Offset(bool wide) { return Fixed(wide ? 8 : 4); }

 private:
  size_t Left() const { return static_cast<size_t>(end_ - p_); }

  const uint8_t* begin_ = nullptr;
  const uint8_t* end_ = nullptr;
  const uint8_t* p_ = nullptr;
};

}  // namespace gort::rt

#endif  // GORT_TRACEBACK_DWARF_CURSOR_H_
