#include "examples/treewc_count.h"

#include <langinfo.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <cwctype>

namespace gort::examples {
namespace {

enum Class : unsigned char { kOther, kPrintable, kSpace };

constexpr std::array<Class, 256> MakeClasses() {
  std::array<Class, 256> c{};
  for (int i = 0x21; i < 0x7f; ++i) c[static_cast<size_t>(i)] = kPrintable;
  for (int i = '\t'; i <= '\r'; ++i) c[static_cast<size_t>(i)] = kSpace;
  c[' '] = kSpace;
  return c;
}
constexpr std::array<Class, 256> kClasses = MakeClasses();

// Sixteen bytes that the compiler keeps in a vector register; comparisons give 0 or -1 in each.
using Bytes = unsigned char __attribute__((vector_size(16)));
using Mask = signed char __attribute__((vector_size(16)));

Bytes Load(const unsigned char* p) {
  Bytes v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
Mask IsSpace(Bytes v) { return (v == ' ') | (v - '\t' <= '\r' - '\t'); }
Mask IsPrintable(Bytes v) { return v - 0x21 <= 0x7e - 0x21; }

uint64_t Sum(Bytes counts) {
  uint64_t sum = 0;
  for (int i = 0; i < 16; ++i) sum += counts[i];
  return sum;
}
bool Any(Mask m) {
  uint64_t halves[2];
  std::memcpy(halves, &m, sizeof halves);
  return (halves[0] | halves[1]) != 0;
}

// As many steps as a counter of eight bits can take; one byte more comes before the vectors.
constexpr size_t kBlock = 255 * sizeof(Bytes) + 1;

// p[1 .. n) in whole vectors, p[0] being the byte before; adds lines and the beginnings of words.
// False: some byte is neither printable nor white space, and nothing was added.
bool CountVectors(const unsigned char* p, size_t n, Counts* counts) {
  Bytes lines{};
  Bytes words{};
  Mask others{};
  for (size_t i = 1; i + sizeof(Bytes) <= n; i += sizeof(Bytes)) {
    Bytes v = Load(p + i);
    Mask space = IsSpace(v);
    Mask printable = IsPrintable(v);
    others |= ~(space | printable);
    lines -= reinterpret_cast<Bytes>(v == '\n');
    words -= reinterpret_cast<Bytes>(IsSpace(Load(p + i - 1)) & printable);
  }
  if (Any(others)) return false;
  counts->lines += Sum(lines);
  counts->words += Sum(words);
  return true;
}

bool IsNoBreakSpace(uint32_t c) { return c == 0xa0 || c == 0x2007 || c == 0x202f || c == 0x2060; }

}  // namespace

void Counts::Append(const Counts& next) {
  lines += next.lines;
  bytes += next.bytes;
  words += next.words;
  if (ends_in_word && next.begins_in_word) --words;
  if (next.blank) return;
  if (blank) begins_in_word = next.begins_in_word;
  ends_in_word = next.ends_in_word;
  blank = false;
}

TextMode TextModeOfLocale() {
  return std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0 ? TextMode::kUtf8 : TextMode::kBytes;
}

inline void Counter::Printable() {
  if (!counts_.ends_in_word) ++counts_.words;
  counts_.ends_in_word = true;
  if (counts_.blank) counts_.begins_in_word = true;
  counts_.blank = false;
}

inline void Counter::Space() {
  counts_.ends_in_word = false;
  counts_.blank = false;
}

void Counter::Add(const char* data, size_t n) {
  const auto* p = reinterpret_cast<const unsigned char*>(data);
  counts_.bytes += n;
  while (n > 0) {
    const size_t block = std::min(n, kBlock);
    AddPlain(p, block);
    p += block;
    n -= block;
  }
}

// A block that is all printable ASCII and white space, as most are, goes by vectors, sixteen bytes
// a step; any other goes byte by byte.
void Counter::AddPlain(const unsigned char* p, size_t n) {
  const size_t vectors = (n - 1) / sizeof(Bytes) * sizeof(Bytes);
  if (want_ != 0 || vectors == 0 || kClasses[p[0]] == kOther) {
    AddAny(p, n);
    return;
  }
  Counts more;
  if (!CountVectors(p, n, &more)) {
    AddAny(p, n);
    return;
  }
  AddAny(p, 1);
  counts_.lines += more.lines;
  counts_.words += more.words;
  counts_.ends_in_word = kClasses[p[vectors]] == kPrintable;
  AddAny(p + 1 + vectors, n - 1 - vectors);
}

void Counter::AddAny(const unsigned char* p, size_t n) {
  for (const unsigned char* end = p + n; p != end; ++p) {
    if (mode_ == TextMode::kUtf8 && (*p >= 0x80 || want_ != 0)) {
      AddMultibyte(*p);
      continue;
    }
    if (*p == '\n') ++counts_.lines;
    switch (kClasses[*p]) {
      case kPrintable:
        Printable();
        break;
      case kSpace:
        Space();
        break;
      case kOther:
        break;
    }
  }
}

// Bytes that make no character are neither printable nor white space.
void Counter::AddMultibyte(unsigned char c) {
  if ((c & 0xc0) != 0x80) {  // what came before it was cut off
    want_ = 0;
    if (c < 0x80) {
      AddAny(&c, 1);
    } else if (c >= 0xc2 && c < 0xf5) {
      want_ = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
      code_ = c & (0x3f >> want_);
      least_ = want_ == 1 ? 0x80 : want_ == 2 ? 0x800 : 0x10000;
    }
    return;
  }
  if (want_ == 0) return;
  code_ = code_ << 6 | (c & 0x3f);
  if (--want_ != 0 || code_ < least_) return;
  const auto wide = static_cast<wint_t>(code_);
  if (std::iswprint(wide) == 0) return;
  if (std::iswspace(wide) != 0 || IsNoBreakSpace(code_)) {
    Space();
  } else {
    Printable();
  }
}

}  // namespace gort::examples
