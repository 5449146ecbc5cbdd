// gmp/labels.h: what a program calls the work that a goroutine does.
// What      keys and values, which dumps, traces and profiles show. A set is never changed: whoever
//           wants other labels makes another set. It is counted, because the goroutines that were
//           started meanwhile, and samples of profiles, have it too.
// Reading   G::labels is its goroutine's alone, which changes it. A signal handler on that goroutine's
//           thread finds the old set or the new one, and both are alive: the old one is let go after
//           the new one is in its place. Others read it while the goroutine cannot run.
// Layer     4.
// Contract  | call       | user G | g0 | no P | gsignal | foreign | parks | allocates |
//           | NewLabels  |   x    | -  |  x   |    -    |    x    |   -   |     x     |
//           | KeepLabels |   x    | x  |  x   |    x    |    x    |   -   |     -     |
//           | DropLabels |   x    | -  |  x   |    -    |    x    |   -   |   frees   |
// Go        labelMap (runtime/pprof), gp.labels
#ifndef GORT_GMP_LABELS_H_
#define GORT_GMP_LABELS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gort/gmp/g.h"

namespace gort::rt {

struct LabelText {
  std::string_view key;
  std::string_view value;
};

// n of `at`, ordered by key, no key twice; the texts lie behind them.
struct LabelSet {
  std::atomic<uint32_t> refs{1};
  uint32_t n = 0;

  const LabelText* at() const { return reinterpret_cast<const LabelText*>(this + 1); }
  const LabelText* begin() const { return at(); }
  const LabelText* end() const { return at() + n; }
};
static_assert(sizeof(LabelSet) % alignof(LabelText) == 0);

// The labels of `base` (null: none) and the n at `more`, whose values come instead of those of base with
// the same key, and the later instead of the earlier. Null when that is none. Throws std::bad_alloc.
LabelSet* NewLabels(const LabelSet* base, const LabelText* more, size_t n);

// One more holder of the set, which the caller has. Null is let be.
inline void KeepLabels(LabelSet* s) {
  // Relaxed: who has a set may copy it.
  if (s != nullptr) s->refs.fetch_add(1, std::memory_order_relaxed);
}
// One holder less; the last one frees it. Null is let be.
void DropLabels(LabelSet* s);

// Gives gp, which is the caller's or nobody's yet, the set, which the caller had, and lets its old one go.
void ReplaceLabels(G* gp, LabelSet* s);

}  // namespace gort::rt

#endif  // GORT_GMP_LABELS_H_
