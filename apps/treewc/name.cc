#include "gort/apps/treewc/name.h"

#include <cstddef>
#include <cstdint>

namespace treewc {
namespace {

// Length of the UTF-8 sequence at s[i] if it is a valid one of two bytes and more, and no control
// character; else 0.
size_t Sequence(const std::string& s, size_t i) {
  auto byte = [&](size_t k) -> uint32_t { return static_cast<unsigned char>(s[k]); };
  const uint32_t lead = byte(i);
  const size_t n = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (n == 0 || s.size() - i < n) return 0;
  uint32_t code = lead & (0x7fU >> n);
  for (size_t k = i + 1; k < i + n; ++k) {
    if ((byte(k) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(k) & 0x3f);
  }
  const bool shorter_exists = code < (n == 2 ? 0x80U : n == 3 ? 0x800U : 0x10000U);
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  const bool invisible = code < 0xa0 || (code >= 0x2028 && code <= 0x202e) || code > 0x10ffff;
  return shorter_exists || surrogate || invisible ? 0 : n;
}

}  // namespace

std::string QuoteName(const std::string& name) {
  std::string out = "'";
  for (size_t i = 0; i < name.size();) {
    const auto c = static_cast<unsigned char>(name[i]);
    if (size_t n = Sequence(name, i); n > 0) {
      out.append(name, i, n);
      i += n;
      continue;
    }
    ++i;
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\\' || c == '\'') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c < 0x20 || c >= 0x7f) {
      out += '\\';
      for (int shift = 6; shift >= 0; shift -= 3) out += static_cast<char>('0' + (c >> shift & 7));
    } else {
      out += static_cast<char>(c);
    }
  }
  return out + "'";
}

}  // namespace treewc
