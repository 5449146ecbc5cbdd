#include "gort/base/godebug.h"

#include <cstring>

#include "gort/base/throw.h"

namespace gort::rt {
namespace {

struct Key {
  const char* name;
  int64_t Godebug::*field;
  int64_t max;
};

constexpr Key kKeys[] = {
#define GORT_X(name, max, meaning) {#name, &Godebug::name, max},
    GORT_GODEBUG_KEYS(GORT_X)
#undef GORT_X
};

struct TextKey {
  const char* name;
  char (Godebug::*field)[kGodebugTextBytes];
};

constexpr TextKey kTextKeys[] = {
#define GORT_X(name, meaning) {#name, &Godebug::name},
    GORT_GODEBUG_TEXT_KEYS(GORT_X)
#undef GORT_X
};

constexpr size_t kShownBytes = 64;  // of a bad value, so that the report stays one line

void ReportBadValue(const Key& key, const char* value, size_t n) {
  Printer p;
  p << "gort: GODEBUG: ignoring " << key.name << '=';
  for (size_t i = 0; i < n && i < kShownBytes; ++i) {
    p << (value[i] >= ' ' && value[i] < 0x7f ? value[i] : '?');
  }
  p << (n > kShownBytes ? "..." : "") << ": want an integer from 0 to " << key.max << '\n';
}

// True when it is one of those, and has been taken or reported.
bool ParseText(const char* s, size_t name_len, const char* value, size_t n, Godebug* out) {
  for (const TextKey& key : kTextKeys) {
    if (strlen(key.name) != name_len || memcmp(key.name, s, name_len) != 0) continue;
    if (n == 0 || n >= kGodebugTextBytes) {
      Printer() << "gort: GODEBUG: ignoring " << key.name << ": want a text of 1 to "
                << kGodebugTextBytes - 1 << " bytes\n";
    } else {
      memcpy(out->*key.field, value, n);
      (out->*key.field)[n] = '\0';
    }
    return true;
  }
  return false;
}

// One "name=value" in [s, s + n).
void ParsePair(const char* s, size_t n, Godebug* out) {
  const char* eq = static_cast<const char*>(memchr(s, '=', n));
  const size_t name_len = eq != nullptr ? static_cast<size_t>(eq - s) : n;
  const char* value = eq != nullptr ? eq + 1 : s + n;
  const size_t value_len = static_cast<size_t>(s + n - value);
  if (ParseText(s, name_len, value, value_len, out)) return;
  for (const Key& key : kKeys) {
    if (strlen(key.name) != name_len || memcmp(key.name, s, name_len) != 0) continue;
    int64_t v = 0;
    if (ParseInt64(value, value_len, &v) && v >= 0 && v <= key.max) {
      out->*key.field = v;
    } else {
      ReportBadValue(key, value, value_len);
    }
    return;
  }
}

}  // namespace

constinit Godebug godebug;

bool ParseInt64(const char* s, uint64_t n, int64_t* out) {
  bool negative = n > 0 && *s == '-';
  if (n > 0 && (*s == '-' || *s == '+')) ++s, --n;
  if (n == 0) return false;
  uint64_t v = 0;
  const uint64_t limit = uint64_t{INT64_MAX} + (negative ? 1 : 0);
  for (uint64_t i = 0; i < n; ++i) {
    if (s[i] < '0' || s[i] > '9') return false;
    uint64_t digit = static_cast<uint64_t>(s[i] - '0');
    if (v > (limit - digit) / 10) return false;
    v = v * 10 + digit;
  }
  *out = static_cast<int64_t>(negative ? ~v + 1 : v);
  return true;
}

void ParseGodebug(const char* text, Godebug* out) {
  if (text == nullptr) return;
  while (*text != '\0') {
    size_t n = strcspn(text, ",");
    ParsePair(text, n, out);
    text += n;
    if (*text == ',') ++text;
  }
}

}  // namespace gort::rt
