#include "gort/gmp/labels.h"

#include <cstring>
#include <new>

namespace gort::rt {
namespace {

bool HasKey(const LabelText* from, const LabelText* to, std::string_view key) {
  while (from != to && from->key != key) ++from;
  return from != to;
}

// The labels that the new set will have, in no order.
template <class F>
void ForEachOf(const LabelSet* base, const LabelText* more, size_t n, F f) {
  if (base != nullptr) {
    for (const LabelText& l : *base) {
      if (!HasKey(more, more + n, l.key)) f(l);
    }
  }
  for (size_t i = 0; i < n; ++i) {
    if (!HasKey(more + i + 1, more + n, more[i].key)) f(more[i]);
  }
}

std::string_view Copy(std::string_view text, char** to) {
  if (!text.empty()) memcpy(*to, text.data(), text.size());
  const std::string_view copy(*to, text.size());
  *to += text.size();
  return copy;
}

// Puts l where it belongs among the sorted n at `at`.
void Insert(LabelText* at, size_t n, const LabelText& l) {
  for (; n > 0 && l.key < at[n - 1].key; --n) at[n] = at[n - 1];
  at[n] = l;
}

}  // namespace

LabelSet* NewLabels(const LabelSet* base, const LabelText* more, size_t n) {
  size_t count = 0;
  size_t bytes = 0;
  ForEachOf(base, more, n, [&](const LabelText& l) {
    ++count;
    bytes += l.key.size() + l.value.size();
  });
  if (count == 0) return nullptr;
  void* room = ::operator new(sizeof(LabelSet) + count * sizeof(LabelText) + bytes);
  auto* s = new (room) LabelSet;
  auto* at = reinterpret_cast<LabelText*>(s + 1);
  char* text = reinterpret_cast<char*>(at + count);
  ForEachOf(base, more, n, [&](const LabelText& l) {
    const std::string_view key = Copy(l.key, &text);
    Insert(at, s->n++, {key, Copy(l.value, &text)});
  });
  return s;
}

void DropLabels(LabelSet* s) {
  // Releases what this holder has read, acquires what the others have.
  if (s != nullptr && s->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) ::operator delete(s);
}

void ReplaceLabels(G* gp, LabelSet* s) {
  LabelSet* old = gp->labels.load(std::memory_order_relaxed);
  gp->labels.store(s, std::memory_order_relaxed);
  if (s != nullptr) gp->rare = true;
  std::atomic_signal_fence(
      std::memory_order_seq_cst);  // a handler finds the new one before the old one goes
  DropLabels(old);
}

}  // namespace gort::rt
