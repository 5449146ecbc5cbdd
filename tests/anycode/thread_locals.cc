// tests/anycode/thread_locals.cc: what belongs to the thread, used before and after a long time.
#include <pthread.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"

namespace anycode {
namespace {

constexpr uint64_t kMade = 0x600d600d600d600d;

__attribute__((noinline)) uint64_t MakeDeeply(int depth) {
  if (depth == 0) {
    Burn(200);
    return kMade;
  }
  const uint64_t made = MakeDeeply(depth - 1);
  Burn(1);
  return made;
}

// Takes long to make, a few calls deep.
struct Slow {
  Slow() : first(kMade), second(MakeDeeply(5)), text("made") {}
  volatile uint64_t first, second;
  std::string text;
};

// One of many, because each thread makes one once.
template <size_t kIndex>
Slow& LocalSlow() {
  thread_local Slow slow;
  return slow;
}

constexpr size_t kSlows = 128;

template <size_t... kIndex>
Slow& LocalSlow(size_t index, std::index_sequence<kIndex...>) {
  static constexpr std::array<Slow& (*)(), sizeof...(kIndex)> kAll = {LocalSlow<kIndex>...};
  return kAll[index]();
}

Task SlowConstructor(int) {
  return {[](Worker& w) {
    for (size_t i = static_cast<size_t>(w.index()) * 37; w.Next(); ++i) {
      Slow& slow = LocalSlow(i % kSlows, std::make_index_sequence<kSlows>());
      Expect(slow.first == kMade && slow.second == kMade && slow.text == "made",
             "a thread_local object is half made");
    }
  }};
}

thread_local int depth = 0;

struct Deeper {
  Deeper() { ++depth; }
  ~Deeper() { --depth; }
};

__attribute__((noinline)) void Descend(int to) {
  const Deeper scope;
  Burn(5);
  if (depth < to) Descend(to);
  Burn(5);
}

// Others may be on this thread between two calls, never within one.
Task DepthScopes(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      const int before = depth;
      Descend(before + 10);
      ExpectEq(before, depth, "depth");
      ExpectEq(0, before, "depth outside of all scopes");
    }
  }};
}

Task Errno(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      const int mine = 1000 + w.index();
      errno = mine;
      Burn(50);
      ExpectEq(mine, errno, "errno");
    }
  }};
}

// Its text is the thread's until the thread asks again.
Task StrError(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      const char* text = strerror(10000 + w.index());
      Burn(50);
      Expect(std::string("Unknown error ") + std::to_string(10000 + w.index()) == text, text);
    }
  }};
}

Task Scratch(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      thread_local std::string scratch;
      scratch.clear();
      for (int i = 0; i < 50; ++i) {
        scratch += static_cast<char>('a' + w.index() % 26);
        Burn(1);
      }
      Expect(scratch == std::string(50, static_cast<char>('a' + w.index() % 26)),
             "a thread_local buffer was shared");
    }
  }};
}

// A generator for each thread, set to a seed: what follows is fixed.
Task Generator(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      thread_local std::mt19937 generator;
      generator.seed(static_cast<uint32_t>(w.index()));
      std::mt19937 want(static_cast<uint32_t>(w.index()));
      for (int i = 0; i < 2000; ++i) Expect(generator() == want(), "a thread_local generator");
    }
  }};
}

Task Specific(int) {
  static const pthread_key_t key = [] {
    pthread_key_t made = 0;
    ExpectEq(0, pthread_key_create(&made, nullptr), "pthread_key_create");
    return made;
  }();
  return {[](Worker& w) {
    while (w.Next()) {
      ExpectEq(0, pthread_setspecific(key, &w), "pthread_setspecific");
      Burn(50);
      Expect(pthread_getspecific(key) == &w, "pthread_getspecific");
    }
  }};
}

// Exceptions in flight belong to the thread: one inside the other's handler, while others throw.
__attribute__((noinline)) void ThrowDeeply(int from, int64_t value) {
  struct Scope {
    ~Scope() { Burn(1); }
  } scope;
  if (from == 0) throw std::out_of_range(std::to_string(value));
  ThrowDeeply(from - 1, value);
}

Task Exceptions(int) {
  return {[](Worker& w) {
    for (int64_t i = w.index(); w.Next(); ++i) {
      try {
        ThrowDeeply(8, i);
      } catch (const std::out_of_range& outer) {
        try {
          ThrowDeeply(4, -i);
        } catch (const std::out_of_range& inner) {
          Expect(inner.what() == std::to_string(-i), "the inner exception");
          Burn(10);
        }
        Expect(outer.what() == std::to_string(i), "the outer exception");
        try {
          throw;
        } catch (const std::out_of_range& again) {
          Expect(&again == &outer, "the exception that is thrown again");
        }
      }
    }
  }};
}

}  // namespace

Family ThreadLocals() {
  return {"thread_locals",
          {{"slow_constructor", SlowConstructor},
           {"depth_scopes", DepthScopes},
           {"errno", Errno},
           {"strerror", StrError},
           {"scratch", Scratch},
           {"generator", Generator},
           {"pthread_specific", Specific},
           {"exceptions", Exceptions}}};
}

}  // namespace anycode
