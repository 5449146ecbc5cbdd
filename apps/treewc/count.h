// apps/treewc/count.h: lines, words and bytes of a text that comes in pieces.
// What      a line ends with '\n'. A word is a run of bytes without white space in which there is
//           at least one printable character, as GNU wc 9.1 (Debian 12) has it: a byte that is
//           neither printable nor white space begins no word and ends none.
// Locale    kBytes: every byte is a character, and only ASCII ones are printable: wc in the C
//           locale. kUtf8: characters are UTF-8, and the C library's LC_CTYPE says what they are:
//           wc in that locale, its no-break spaces (U+00A0, U+2007, U+202F, U+2060) being white
//           space.
// Sums      a text has as many words as its parts together, less the words that a border between
//           two parts cuts, and a border may cut a character. Counts keeps what Append needs to
//           know about the borders of its part, so the parts may be counted in any order.
#ifndef GORT_APPS_TREEWC_COUNT_H_
#define GORT_APPS_TREEWC_COUNT_H_

#include <cstddef>
#include <cstdint>

namespace treewc {

// A UTF-8 sequence that is not complete.
struct PartialChar {
  int want = 0;  // bytes to come; 0: none
  uint32_t code = 0;
  uint32_t least = 0;  // shorter forms of smaller characters are invalid
};

struct Counts {
  uint64_t lines = 0;
  uint64_t words = 0;
  uint64_t bytes = 0;
  bool blank = true;            // neither a printable character nor white space so far
  bool begins_in_word = false;  // the first of these is printable
  bool ends_in_word = false;    // and so is the last
  // kUtf8: the continuation bytes with which the text begins, up to three, and the sequence with
  // which it ends.
  unsigned char head[3] = {};
  size_t head_size = 0;
  PartialChar tail;

  // Afterwards these are the counts of this text followed by the other.
  void Append(const Counts& next);

  // One more character, of no bytes.
  void Printable();
  void Space();
  // One more byte of a UTF-8 sequence, which may complete a character.
  void Continuation(unsigned char c);
};

enum class TextMode { kBytes, kUtf8 };
// What the locale that setlocale has chosen asks for. Encodings other than UTF-8: kBytes.
TextMode TextModeOfLocale();

// Counts one text.
class Counter {
 public:
  explicit Counter(TextMode mode) : mode_(mode) {}

  void Add(const char* data, size_t n);
  const Counts& counts() const { return counts_; }

 private:
  void AddPlain(const unsigned char* p, size_t n);
  void AddAny(const unsigned char* p, size_t n);
  void AddMultibyte(unsigned char c);

  const TextMode mode_;
  Counts counts_;
};

}  // namespace treewc

#endif  // GORT_APPS_TREEWC_COUNT_H_
