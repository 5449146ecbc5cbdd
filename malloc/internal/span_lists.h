// malloc/internal/span_lists.h: free spans of few pages, by their length.
// What      two lists a length: the spans that have memory to give to the OS, and the others. A bit a list
//           says whether it is empty, so that the shortest span that fits is found without a walk.
// Why       with the tree (page_tree.cc) alone, half of what a large allocation and its free cost went into
//           the tree's order. Longer spans are few and stay there.
// Links     by hand: List also keeps its last element and each element's list, a third of what a free
//           span is written for.
// Order     the shortest span that fits; among equals those with memory before those without, which
//           would have to be faulted in; among these the one that came last, whose pages are the warmest.
// Layer     4. Part of PageAlloc and guarded as that is.
#ifndef GORT_MALLOC_INTERNAL_SPAN_LISTS_H_
#define GORT_MALLOC_INTERNAL_SPAN_LISTS_H_

#include <bit>
#include <cstddef>
#include <cstdint>

#include "gort/malloc/internal/mspan.h"

namespace gort::rt {

class SpanLists {
 public:
  static constexpr size_t kMostPages = 256;  // longer spans are the tree's

  // s: free, of at most kMostPages, and s->releasable says which list is its own until Remove.
  void Insert(MSpan* s) {
    Set& set = sets_[s->releasable];
    MSpan*& first = set.first[Index(s)];
    s->prev = nullptr;
    s->next = first;
    if (first != nullptr) {
      first->prev = s;
    } else {
      set.full[Index(s) / 64] |= Bit(Index(s));
    }
    first = s;
  }
  void Remove(MSpan* s) {
    Set& set = sets_[s->releasable];
    if (s->next != nullptr) s->next->prev = s->prev;
    if (s->prev != nullptr) {
      s->prev->next = s->next;
      return;
    }
    set.first[Index(s)] = s->next;
    if (s->next == nullptr) set.full[Index(s) / 64] &= ~Bit(Index(s));
  }

  // The shortest span of at least n > 0 pages; null: none is here.
  MSpan* Shortest(size_t n) const {
    if (n > kMostPages) return nullptr;
    uint64_t above = ~uint64_t{0} << (n - 1) % 64;
    for (size_t word = (n - 1) / 64; word < kWords; ++word, above = ~uint64_t{0}) {
      const uint64_t found = (sets_[0].full[word] | sets_[1].full[word]) & above;
      if (found != 0) return First(word * 64 + static_cast<size_t>(std::countr_zero(found)));
    }
    return nullptr;
  }

  // The longest of those that have memory to give; null: none has.
  MSpan* LongestReleasable() const {
    for (size_t word = kWords; word-- > 0;) {
      const uint64_t found = sets_[1].full[word];
      if (found == 0) continue;
      return sets_[1].first[word * 64 + 63 - static_cast<size_t>(std::countl_zero(found))];
    }
    return nullptr;
  }

  // Calls fn(s) for each span, and then knows that bits and lists agree. For tests.
  template <class Fn>
  bool ForEach(Fn fn) const {
    bool agree = true;
    for (const Set& set : sets_) {
      for (size_t i = 0; i < kMostPages; ++i) {
        agree = agree && (set.first[i] == nullptr) == ((set.full[i / 64] & Bit(i)) == 0);
        for (const MSpan* s = set.first[i]; s != nullptr; s = s->next) {
          agree = agree && Index(s) == i && (s->next == nullptr || s->next->prev == s) &&
                  s->releasable == (&set == &sets_[1]);
          fn(s);
        }
      }
    }
    return agree;
  }

 private:
  static constexpr size_t kWords = kMostPages / 64;
  struct Set {
    MSpan* first[kMostPages] = {};  // linked by next and prev; `list` stays null
    uint64_t full[kWords] = {};     // bit i: there is a first[i]
  };

  static size_t Index(const MSpan* s) { return s->n_pages - 1; }
  static uint64_t Bit(size_t index) { return uint64_t{1} << index % 64; }
  MSpan* First(size_t index) const {
    MSpan* s = sets_[1].first[index];
    return s != nullptr ? s : sets_[0].first[index];
  }

  Set sets_[2];  // without, and with memory to give
};

}  // namespace gort::rt

#endif  // GORT_MALLOC_INTERNAL_SPAN_LISTS_H_
