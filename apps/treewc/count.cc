#include "gort/apps/treewc/count.h"

#include <langinfo.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <cwctype>

namespace treewc {
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

// As many vectors as a counter of eight bits can count, and the byte before them.
constexpr size_t kBlock = 255 * sizeof(Bytes) + 1;

// Counts the whole vectors of p[1 .. n), where p[0] is the byte before them: adds lines and
// beginnings of words. False: some byte is neither printable nor white space, and nothing was
// added.
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

inline void Counts::Printable() {
  if (!ends_in_word) ++words;
  ends_in_word = true;
  if (blank) begins_in_word = true;
  blank = false;
}

inline void Counts::Space() {
  ends_in_word = false;
  blank = false;
}

// Bytes that make no character are neither printable nor white space.
void Counts::Continuation(unsigned char c) {
  if (tail.want == 0) return;
  tail.code = tail.code << 6 | (c & 0x3f);
  if (--tail.want != 0 || tail.code < tail.least) return;
  const auto wide = static_cast<wint_t>(tail.code);
  if (std::iswprint(wide) == 0) return;
  if (std::iswspace(wide) != 0 || IsNoBreakSpace(tail.code)) {
    Space();
  } else {
    Printable();
  }
}

void Counts::Append(const Counts& next) {
  if (bytes == head_size) {  // of continuation bytes alone so far
    for (size_t i = 0; i < next.head_size && head_size < sizeof head; ++i) {
      head[head_size++] = next.head[i];
    }
  }
  for (size_t i = 0; i < next.head_size; ++i) Continuation(next.head[i]);
  if (next.bytes != next.head_size) tail = next.tail;
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

void Counter::Add(const char* data, size_t n) {
  const auto* p = reinterpret_cast<const unsigned char*>(data);
  if (mode_ == TextMode::kUtf8 && counts_.bytes == counts_.head_size) {
    for (size_t i = 0; i < n && counts_.head_size < sizeof counts_.head; ++i) {
      if ((p[i] & 0xc0) != 0x80) break;
      counts_.head[counts_.head_size++] = p[i];
    }
  }
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
  if (counts_.tail.want != 0 || vectors == 0 || kClasses[p[0]] == kOther) {
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
    if (mode_ == TextMode::kUtf8 && (*p >= 0x80 || counts_.tail.want != 0)) {
      AddMultibyte(*p);
      continue;
    }
    if (*p == '\n') ++counts_.lines;
    switch (kClasses[*p]) {
      case kPrintable:
        counts_.Printable();
        break;
      case kSpace:
        counts_.Space();
        break;
      case kOther:
        break;
    }
  }
}

void Counter::AddMultibyte(unsigned char c) {
  if ((c & 0xc0) == 0x80) {
    counts_.Continuation(c);
    return;
  }
  PartialChar& tail = counts_.tail;
  tail.want = 0;  // what came before it was cut off
  if (c < 0x80) {
    AddAny(&c, 1);
  } else if (c >= 0xc2 && c < 0xf5) {
    tail.want = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    tail.code = c & (0x3f >> tail.want);
    tail.least = tail.want == 1 ? 0x80 : tail.want == 2 ? 0x800 : 0x10000;
  }
}

}  // namespace treewc
