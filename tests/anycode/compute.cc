// tests/anycode/compute.cc: functions of the C and C++ libraries that compute, or take memory.
#include <algorithm>
#include <cfenv>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iomanip>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"

namespace anycode {
namespace {

// The same for each worker that asks with the same number.
std::vector<uint32_t> RandomNumbers(size_t n, int64_t seed) {
  std::minstd_rand random(static_cast<uint32_t>(seed) + 1);
  std::vector<uint32_t> numbers(n);
  for (uint32_t& v : numbers) v = random() % 100'000;
  return numbers;
}

int64_t Sum(const std::vector<uint32_t>& v) {
  return std::accumulate(v.begin(), v.end(), int64_t{0});
}

template <class Sort>
Task Sorting(Sort sort) {
  return {[sort](Worker& w) {
    for (int64_t i = w.index(); w.Next(); ++i) {
      std::vector<uint32_t> numbers = RandomNumbers(3000, i);
      const int64_t before = Sum(numbers);
      sort(numbers);
      Expect(std::is_sorted(numbers.begin(), numbers.end()), "not sorted");
      ExpectEq(before, Sum(numbers), "sum of the numbers");
    }
  }};
}

Task StdSort(int) {
  return Sorting([](auto& v) { std::sort(v.begin(), v.end()); });
}

Task StableSort(int) {
  return Sorting([](auto& v) { std::stable_sort(v.begin(), v.end()); });
}

int Compare(const void* a, const void* b) {
  const uint32_t x = *static_cast<const uint32_t*>(a);
  const uint32_t y = *static_cast<const uint32_t*>(b);
  return x < y ? -1 : x > y;
}

Task Qsort(int) {
  return Sorting([](auto& v) { qsort(v.data(), v.size(), sizeof(v[0]), Compare); });
}

Task Snprintf(int) {
  return {[](Worker& w) {
    for (int64_t i = w.index(); w.Next(); i += 7) {
      char text[200];
      const double d = static_cast<double>(i) / 7;
      for (int k = 0; k < 20; ++k) {
        std::snprintf(text, sizeof(text), "%" PRId64 " %.17g %s %d", i, d, "text", k);
        int64_t j = 0;
        double e = 0;
        int l = 0;
        Expect(std::sscanf(text, "%" SCNd64 " %lf text %d", &j, &e, &l) == 3, text);
        Expect(i == j && d == e && k == l, text);
      }
    }
  }};
}

Task Streams(int) {
  return {[](Worker& w) {
    for (int64_t i = w.index(); w.Next(); ++i) {
      std::stringstream stream;
      for (int64_t k = 0; k < 50; ++k) stream << i + k << ' ' << std::hex << k << std::dec << ' ';
      for (int64_t k = 0; k < 50; ++k) {
        int64_t a = 0;
        int64_t b = 0;
        stream >> a >> std::hex >> b >> std::dec;
        Expect(a == i + k && b == k, "what the stream gives back");
      }
    }
  }};
}

// Blocks of all sizes, each full of its own mark.
Task Malloc(int) {
  return {[](Worker& w) {
    struct Block {
      unsigned char* bytes;
      size_t size;
    };
    std::minstd_rand random(static_cast<uint32_t>(w.index()) + 1);
    std::vector<Block> held;
    const auto mark = static_cast<unsigned char>(w.index() + 1);
    const auto give_back = [mark](const Block& b) {
      for (size_t at = 0; at < b.size; ++at) {
        if (b.bytes[at] != mark) return Wrong("a block of %zu bytes was overwritten", b.size);
      }
      free(b.bytes);
    };
    while (w.Next()) {
      for (int i = 0; i < 50; ++i) {
        const size_t size = 1 + random() % (random() % 16 == 0 ? 20'000 : 500);
        auto* bytes = static_cast<unsigned char*>(malloc(size));
        std::memset(bytes, mark, size);
        held.push_back({bytes, size});
        if (held.size() < 30) continue;
        std::swap(held[random() % held.size()], held.back());
        give_back(held.back());
        held.pop_back();
      }
    }
    for (const Block& b : held) give_back(b);
  }};
}

Task Containers(int) {
  return {[](Worker& w) {
    for (int64_t i = w.index(); w.Next(); ++i) {
      const std::vector<uint32_t> numbers = RandomNumbers(500, i);
      std::map<std::string, int64_t> counts;
      for (uint32_t v : numbers) counts[std::to_string(v)] += v;
      int64_t sum = 0;
      for (const auto& [text, v] : counts) sum += v;
      ExpectEq(Sum(numbers), sum, "sum over the map");
    }
  }};
}

Task Regex(int) {
  return {[](Worker& w) {
    const std::regex pattern("([a-z]+)=([0-9]+)");
    for (int64_t i = w.index(); w.Next(); ++i) {
      const std::string text = "key=" + std::to_string(i) + ", other=7";
      std::smatch match;
      Expect(std::regex_search(text, match, pattern), "no match");
      Expect(match[1] == "key" && match[2] == std::to_string(i), "the match");
    }
  }};
}

Task Memcpy(int) {
  return {[](Worker& w) {
    std::vector<char> from(200'000);
    std::vector<char> to(from.size());
    for (int64_t i = w.index(); w.Next(); ++i) {
      std::memset(from.data(), static_cast<int>(i & 0x7f), from.size());
      std::memcpy(to.data(), from.data(), from.size());
      Expect(std::memcmp(to.data(), from.data(), from.size()) == 0 && to.back() == (i & 0x7f),
             "the copy");
    }
  }};
}

// How numbers are rounded, and whether one was, is said in a register of the CPU.
Task Rounding(int) {
  return {[](Worker& w) {
    static constexpr int kModes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    const int mode = kModes[w.index() % 4];
    while (w.Next()) {
      std::fesetround(mode);
      std::feclearexcept(FE_ALL_EXCEPT);
      Burn(20);
      ExpectEq(mode, std::fegetround(), "the rounding");
      ExpectEq(0, std::fetestexcept(FE_INEXACT), "what nobody rounded");
      volatile double third = 1;
      third = third / 3;
      Burn(20);
      Expect(std::fetestexcept(FE_INEXACT) != 0, "what was rounded");
      std::fesetround(FE_TONEAREST);
    }
  }};
}

// Shared by all: its count is atomic, and its last owner frees.
Task SharedPtr(int) {
  struct Counted {
    explicit Counted(std::atomic<int64_t>* n) : alive(n) { alive->fetch_add(1); }
    ~Counted() { alive->fetch_sub(1); }
    std::atomic<int64_t>* alive;
  };
  struct Shared {
    std::atomic<int64_t> alive{0};
    std::atomic<std::shared_ptr<Counted>> current;
  };
  auto s = std::make_shared<Shared>();
  return {[s](Worker& w) {
            while (w.Next()) {
              const auto mine = std::make_shared<Counted>(&s->alive);
              s->current.store(mine);
              const auto theirs = s->current.load();
              Expect(theirs->alive->load() > 0, "a shared object is gone");
            }
          },
          [s](int64_t) {
            s->current.store(nullptr);
            ExpectEq(0, s->alive.load(), "objects left");
          }};
}

}  // namespace

Family Compute() {
  return {"compute",
          {{"std_sort", StdSort},
           {"stable_sort", StableSort},
           {"qsort", Qsort},
           {"snprintf", Snprintf},
           {"streams", Streams},
           {"malloc", Malloc},
           {"containers", Containers},
           {"regex", Regex},
           {"memcpy", Memcpy},
           {"rounding", Rounding},
           {"atomic_shared_ptr", SharedPtr}}};
}

}  // namespace anycode
