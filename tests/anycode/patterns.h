// tests/anycode/patterns.h: what many rows do, whatever the library.
// What      PingPong, between two workers; Exclusive, one after the other.
#ifndef GORT_TESTS_ANYCODE_PATTERNS_H_
#define GORT_TESTS_ANYCODE_PATTERNS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "gort/tests/anycode/row.h"

namespace anycode {

// A value that goes to and fro between two workers. `Post(side, v)` and `Wait(side)` are the
// library's; the leader ends the game by a negative value.
template <class Court>
Task PingPong(int workers) {
  auto courts = std::make_shared<std::vector<Court>>(static_cast<size_t>(workers / 2));
  return {[courts](Worker& w) {
    if ((w.index() | 1) >= w.workers()) {
      w.Next();
      return;
    }
    Court& court = (*courts)[static_cast<size_t>(w.index() / 2)];
    if (w.leads()) {
      for (int64_t v = 0; w.Next(); v += 2) {
        court.Post(1, v);
        ExpectEq(v + 1, court.Wait(0), "the answer");
      }
      court.Post(1, -1);
    } else {
      for (int64_t v = 0; (v = court.Wait(1)) >= 0;) court.Post(0, v + 1);
    }
  }};
}

// All enter what `Mutex`, with lock and unlock, guards, and stay for about kHeld microseconds.
template <class Mutex, int kHeld = 20>
Task Exclusive(int) {
  struct Shared {
    Mutex mutex;
    Guarded guarded;
  };
  auto s = std::make_shared<Shared>();
  return {[s](Worker& w) {
            while (w.Next()) {
              std::lock_guard lock(s->mutex);
              s->guarded.Visit(kHeld);
            }
          },
          [s](int64_t ops) { ExpectEq(ops, s->guarded.entered(), "visits"); }};
}

}  // namespace anycode

#endif  // GORT_TESTS_ANYCODE_PATTERNS_H_
