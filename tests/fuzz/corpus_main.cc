// tests/fuzz/corpus_main.cc: the main function of a fuzzer without libFuzzer.
//
//     http_fuzz [-flag…] FILE|DIRECTORY…
//
// Tries each file, and each of its beginnings where that is cheap; flags are libFuzzer's and mean
// nothing here. No file at all is an error: a corpus that is not found must not look like one that
// passes.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

#include "gort/tests/fuzz/fuzz.h"

namespace {

constexpr size_t kCheap = 128;  // bytes

bool Try(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> chars{std::istreambuf_iterator<char>(file),
                                std::istreambuf_iterator<char>()};
  if (!file) return false;
  std::printf("%s: %zu bytes\n", path.c_str(), chars.size());
  std::fflush(stdout);
  const std::vector<uint8_t> bytes(chars.begin(), chars.end());
  for (size_t n = bytes.size() <= kCheap ? 0 : bytes.size(); n <= bytes.size(); ++n) {
    // A copy of just these: a sanitizer sees what reads beyond.
    const std::vector<uint8_t> some(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(n));
    LLVMFuzzerTestOneInput(some.data(), some.size());
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  int tried = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (!arg.empty() && arg[0] == '-') continue;
    std::vector<std::filesystem::path> paths{arg};
    std::error_code error;
    if (std::filesystem::is_directory(arg, error)) {
      const std::filesystem::directory_iterator entries(arg, error);
      paths.assign(begin(entries), end(entries));
    }
    for (const std::filesystem::path& path : paths) {
      if (!Try(path)) {
        std::fprintf(stderr, "cannot read %s\n", path.c_str());
        return 1;
      }
      ++tried;
    }
  }
  if (tried == 0) std::fprintf(stderr, "no inputs\n");
  return tried == 0 ? 1 : 0;
}
