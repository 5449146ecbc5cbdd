// tests/fuzz/fuzz.h: what the fuzzers share.
// What      a fuzzer defines LLVMFuzzerTestOneInput. With --config=fuzz clang's libFuzzer has the
//           main function; else corpus_main.cc has, and tries the corpus.
// Errors    what does not hold is written to stderr, and the process aborts.
#ifndef GORT_TESTS_FUZZ_FUZZ_H_
#define GORT_TESTS_FUZZ_FUZZ_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace gort::fuzz {

// Ends the process, because `what` does not hold; `more` is the data that shows it.
[[noreturn]] void Broken(const char* what, std::string_view more = {});

inline void Check(bool ok, const char* what, std::string_view more = {}) {
  if (!ok) Broken(what, more);
}

// The bytes of an input, taken off its front as decisions. At its end they are all zero.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  bool empty() const { return size_ == 0; }
  uint8_t Byte() {
    if (size_ == 0) return 0;
    --size_;
    return *data_++;
  }
  // 0 … most, from two bytes.
  size_t Number(size_t most) {
    const size_t low = Byte();
    return (low | size_t{Byte()} << 8) % (most + 1);
  }
  std::string_view Rest() { return std::string_view(reinterpret_cast<const char*>(data_), size_); }

 private:
  const uint8_t* data_;
  size_t size_;
};

}  // namespace gort::fuzz

#endif  // GORT_TESTS_FUZZ_FUZZ_H_
