#include "gort/tests/fuzz/fuzz.h"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace gort::fuzz {

void Broken(const char* what, std::string_view more) {
  std::string text;
  for (char c : more) {
    const auto byte = static_cast<unsigned char>(c);
    char hex[8];
    std::snprintf(hex, sizeof hex, byte < 0x20 || byte >= 0x7f || c == '\\' ? "\\x%02x" : "%c",
                  byte);
    text += hex;
  }
  std::fprintf(stderr, "does not hold: %s\n%s\n", what, text.c_str());
  std::abort();
}

}  // namespace gort::fuzz
