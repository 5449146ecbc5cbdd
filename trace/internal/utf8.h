// trace/internal/utf8.h: what Protocol Buffers demand of a text.
// What      a program's texts are any bytes, and are cut after some number of them: what is not UTF-8 becomes '?'.
// Layer     7. Pure.
#ifndef GORT_TRACE_INTERNAL_UTF8_H_
#define GORT_TRACE_INTERNAL_UTF8_H_

#include <cstddef>
#include <cstring>
#include <string_view>

namespace gort::rt {

// How many bytes the character at the beginning of s has, which is not empty; 0: there is none.
inline size_t CharacterBytes(std::string_view s) {
  const auto at = [s](size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const size_t n = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (n > s.size()) return 0;
  for (size_t i = 1; i < n; ++i) {
    if (at(i) >> 6 != 2) return 0;
  }
  const bool too_long = (first == 0xe0 && at(1) < 0xa0) || (first == 0xf0 && at(1) < 0x90);
  const bool surrogate = first == 0xed && at(1) >= 0xa0;
  const bool too_high = first == 0xf4 && at(1) >= 0x90;
  return too_long || surrogate || too_high ? 0 : n;
}

// A text as UTF-8 of as many bytes, 511 at most; more are cut off.
class Utf8 {
 public:
  explicit Utf8(std::string_view text) {
    text = text.substr(0, sizeof text_);
    memcpy(text_, text.data(), text.size());
    while (bytes_ < text.size()) {
      const size_t n = CharacterBytes(text.substr(bytes_));
      if (n == 0) text_[bytes_] = '?';
      bytes_ += n != 0 ? n : 1;
    }
  }
  std::string_view text() const { return {text_, bytes_}; }

 private:
  char text_[511];
  size_t bytes_ = 0;
};

}  // namespace gort::rt

#endif  // GORT_TRACE_INTERNAL_UTF8_H_
