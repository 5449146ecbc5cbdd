// base/list.h: an intrusive doubly linked list.
// What      List<T> links objects through a ListNode<T> base; no allocation, O(1) everywhere.
// Layer     1. Not thread-safe. A node is in at most one list; removing needs no list pointer
// search.
#ifndef GORT_BASE_LIST_H_
#define GORT_BASE_LIST_H_

namespace gort::rt {

template <class T>
class List;

// Base of an element. `list` tells which list holds it (null: none), so that a double insert shows.
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
  T* front() const { return first_; }
  T* back() const { return last_; }

  void PushFront(T* t) {
    t->list = this;
    t->prev = nullptr;
    t->next = first_;
    (first_ != nullptr ? first_->prev : last_) = t;
    first_ = t;
  }
  void PushBack(T* t) {
    t->list = this;
    t->next = nullptr;
    t->prev = last_;
    (last_ != nullptr ? last_->next : first_) = t;
    last_ = t;
  }
  // Requires: t is in this list.
  void Remove(T* t) {
    (t->prev != nullptr ? t->prev->next : first_) = t->next;
    (t->next != nullptr ? t->next->prev : last_) = t->prev;
    t->next = t->prev = nullptr;
    t->list = nullptr;
  }
  // Null when empty.
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
