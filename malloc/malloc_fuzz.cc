// Any sequence of calls to the allocator: blocks are aligned, as long as asked for, cleared where
// that was asked for, and never overlap, by what they hold.
#include <cstdint>
#include <cstring>
#include <vector>

#include "gort/malloc/malloc.h"
#include "gort/tests/fuzz/fuzz.h"

namespace {

using gort::fuzz::Check;

constexpr size_t kMostBlocks = 512;

struct Block {
  unsigned char* p;
  size_t n;
  unsigned char pattern;
};

// The first and last bytes of a long block stand for all.
template <class F>
void ForSome(const Block& b, F f) {
  constexpr size_t kEnd = 256;
  for (size_t i = 0; i < b.n; ++i) {
    f(i);
    if (i == kEnd && b.n > 2 * kEnd) i = b.n - kEnd;
  }
}

void CheckHolds(const Block& b) {
  ForSome(b, [&b](size_t i) {
    Check(b.p[i] == static_cast<unsigned char>(b.pattern + i), "a block keeps what was written");
  });
}

size_t SizeFrom(gort::fuzz::Input* in) {
  switch (in->Byte() % 8) {
    case 0:
      return in->Number(16);
    case 1:
      return in->Number(1 << 15) + (32 << 10);  // about where large objects begin
    case 2:
      return in->Number(16) << 16;
    default:
      return in->Number(1200);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  gort::fuzz::Input in(data, size);
  std::vector<Block> blocks;
  unsigned char pattern = 1;
  while (!in.empty()) {
    const uint8_t what = in.Byte();
    if (what % 4 == 0 || blocks.size() == kMostBlocks) {
      if (blocks.empty()) continue;
      const size_t i = in.Number(blocks.size() - 1);
      CheckHolds(blocks[i]);
      gort::malloc::Free(blocks[i].p);
      blocks[i] = blocks.back();
      blocks.pop_back();
      continue;
    }
    if (what == 255) {
      gort::malloc::ReleaseFreeMemory();
      continue;
    }
    size_t n = SizeFrom(&in);
    size_t align = 0;
    void* p = nullptr;
    if (what % 4 == 1) {
      align = size_t{1} << in.Number(17);
      p = gort::malloc::AllocAligned(align, n);
    } else if (what % 4 == 2) {
      const size_t count = 1 + in.Number(7);
      n = n / count * count;
      p = gort::malloc::AllocZeroed(count, n / count);
    } else {
      p = gort::malloc::Alloc(n);
    }
    Check(p != nullptr, "there is memory");
    if (align == 0) align = n <= 4 ? 4 : n <= 8 ? 8 : 16;
    Check(reinterpret_cast<uintptr_t>(p) % align == 0, "a block is aligned");
    blocks.push_back({static_cast<unsigned char*>(p), n, pattern});
    const Block& b = blocks.back();
    Check(gort::malloc::UsableSize(p) >= n, "a block is long enough");
    if (what % 4 == 2) ForSome(b, [&b](size_t i) { Check(b.p[i] == 0, "a block is cleared"); });
    ForSome(b, [&b](size_t i) { b.p[i] = static_cast<unsigned char>(b.pattern + i); });
    pattern = static_cast<unsigned char>(pattern + 37);
  }
  for (const Block& b : blocks) {
    CheckHolds(b);
    gort::malloc::Free(b.p);
  }
  return 0;
}
