#include "gort/tests/anycode/row.h"

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace anycode {
namespace {

std::atomic<int> wrongs{0};
// Of so many wrong results the text is printed.
constexpr int kPrinted = 5;

}  // namespace

bool Worker::Next() {
  if (AnyWrong() || (ops_ > 0 && Clock::now() >= end_)) return false;
  ++ops_;
  return true;
}

void Wrong(const char* format, ...) {
  if (wrongs.fetch_add(1) >= kPrinted) return;
  char text[500];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  std::fprintf(stderr, "WRONG: %s\n", text);
}

bool AnyWrong() { return wrongs.load(std::memory_order_relaxed) != 0; }

void ExpectCall(int64_t want, int64_t got, const char* call) {
  const int error = errno;
  if (want == got) return;
  Wrong("%s: %lld, not %lld: %s", call, static_cast<long long>(got), static_cast<long long>(want),
        got < 0 ? std::strerror(error) : "no error");
}

void Burn(int units) {
  // A step waits for the one before it: some 4 cycles each.
  uint64_t x = static_cast<uint64_t>(units) | 1;
  for (int i = 0; i < units * 500; ++i) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    asm volatile("" : "+r"(x));
  }
}

}  // namespace anycode
