// tests/anycode/compression.cc: zlib and zstd.
#include <zlib.h>
#include <zstd.h>

#include <cstdint>
#include <string>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"

namespace anycode {
namespace {

// Text that is compressible, and another for each number.
std::string SomeText(int64_t number) {
  std::string text;
  for (int i = 0; text.size() < 20'000; ++i) {
    text += "line " + std::to_string(i) + " of " + std::to_string(number * i % 1009) + '\n';
  }
  return text;
}

Task Zlib(int) {
  return {[](Worker& w) {
    const std::string text = SomeText(w.index());
    const auto* bytes = reinterpret_cast<const Bytef*>(text.data());
    const uLong sum = crc32(0, bytes, static_cast<uInt>(text.size()));
    while (w.Next()) {
      std::string packed(compressBound(text.size()), '\0');
      uLongf packed_size = packed.size();
      ExpectEq(
          Z_OK,
          compress2(reinterpret_cast<Bytef*>(packed.data()), &packed_size, bytes, text.size(), 6),
          "compress2");
      std::string back(text.size(), '\0');
      uLongf size = back.size();
      ExpectEq(Z_OK,
               uncompress(reinterpret_cast<Bytef*>(back.data()), &size,
                          reinterpret_cast<const Bytef*>(packed.data()), packed_size),
               "uncompress");
      Expect(back == text, "zlib gives back another text");
      Expect(crc32(0, reinterpret_cast<const Bytef*>(back.data()), static_cast<uInt>(size)) == sum,
             "crc32");
    }
  }};
}

Task Zstd(int) {
  return {[](Worker& w) {
    const std::string text = SomeText(w.index());
    while (w.Next()) {
      std::string packed(ZSTD_compressBound(text.size()), '\0');
      const size_t packed_size =
          ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 5);
      Expect(!ZSTD_isError(packed_size), "ZSTD_compress");
      std::string back(text.size(), '\0');
      const size_t size = ZSTD_decompress(back.data(), back.size(), packed.data(), packed_size);
      Expect(size == text.size() && back == text, "zstd gives back another text");
    }
  }};
}

}  // namespace

Family Compression() { return {"compression", {{"zlib", Zlib}, {"zstd", Zstd}}}; }

}  // namespace anycode
