// base/list.h: an intrusive doubly linked list.
// What      List<T> links objects through a ListNode<T> base; no allocation, O(1) everywhere.
// Layer     1. Not thread-safe: the list and its elements share one guard.
// Invariant a node is in at most one list, and node.list says which (null: none). Debug builds
//           check it on every insertion and removal; the test is IsIn() elsewhere.
// Lifetime  the list owns nothing. An element must be removed before it is destroyed. Go: mSpanList
#ifndef GORT_BASE_LIST_H_
#define GORT_BASE_LIST_H_

#include "gort/base/throw.h"

namespace gort::rt {

template <class T>
class List;

// Base of an element: struct Span : ListNode<Span>. List writes the fields; other code may read.
template <class T>
struct ListNode {
  T* next = nullptr;
  T* prev = nullptr;
  List<T>* list = nullptr;
};

template <class T>
class List {
 public:
  constexpr List() = default;
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  bool empty() const { return first_ == nullptr; }
  // The first and the last element; null when empty. Walk with `for (t = front(); t; t = t->next)`.
  T* front() const { return first_; }
  T* back() const { return last_; }
  bool IsIn(const T* t) const { return t->list == this; }

  // Requires: t is in no list (debug builds: else Throw).
  void PushFront(T* t) {
    GORT_DCHECK(t->list == nullptr);
    t->list = this;
    t->prev = nullptr;
    t->next = first_;
    (first_ != nullptr ? first_->prev : last_) = t;
    first_ = t;
  }
  void PushBack(T* t) {
    GORT_DCHECK(t->list == nullptr);
    t->list = this;
    t->next = nullptr;
    t->prev = last_;
    (last_ != nullptr ? last_->next : first_) = t;
    last_ = t;
  }
  // Requires: t is in this list (debug builds: else Throw).
  void Remove(T* t) {
    GORT_DCHECK(t->list == this);
    (t->prev != nullptr ? t->prev->next : first_) = t->next;
    (t->next != nullptr ? t->next->prev : last_) = t->prev;
    t->next = t->prev = nullptr;
    t->list = nullptr;
  }
  // Removes and returns the first element; null when empty.
  T* PopFront() {
    T* t = first_;
    if (t != nullptr) Remove(t);
    return t;
  }

 private:
  T* first_ = nullptr;
  T* last_ = nullptr;
};

}  // namespace gort::rt

#endif  // GORT_BASE_LIST_H_
