// gmp/glist.h: lists of Gs linked through G::schedlink.
// What      GList is a stack, GQueue a queue; a G is in at most one of either at a time.
// Layer     4. Not thread-safe; the holder synchronises.     Go: gList, gQueue in proc.go
#ifndef GORT_GMP_GLIST_H_
#define GORT_GMP_GLIST_H_

#include "gort/gmp/g.h"

namespace gort::rt {

class GQueue;

class GList {
 public:
  bool empty() const { return head_ == nullptr; }
  // Null when empty. The next of each is its schedlink.
  G* First() const { return head_; }
  void Push(G* gp) {
    gp->schedlink = head_;
    head_ = gp;
  }
  // Null when empty.
  G* Pop() {
    G* gp = head_;
    if (gp != nullptr) {
      head_ = gp->schedlink;
      gp->schedlink = nullptr;
    }
    return gp;
  }

 private:
  friend class GQueue;
  G* head_ = nullptr;
};

class GQueue {
 public:
  bool empty() const { return head_ == nullptr; }
  void Push(G* gp) {
    gp->schedlink = head_;
    head_ = gp;
    if (tail_ == nullptr) tail_ = gp;
  }
  void PushBack(G* gp) {
    gp->schedlink = nullptr;
    (tail_ != nullptr ? tail_->schedlink : head_) = gp;
    tail_ = gp;
  }
  // Moves all of q to the end of this queue.
  void PushBackAll(GQueue* q) {
    if (q->head_ == nullptr) return;
    (tail_ != nullptr ? tail_->schedlink : head_) = q->head_;
    tail_ = q->tail_;
    q->head_ = q->tail_ = nullptr;
  }
  // Moves all of q to the front of this queue.
  void PushFrontAll(GQueue* q) {
    if (q->head_ == nullptr) return;
    q->tail_->schedlink = head_;
    if (tail_ == nullptr) tail_ = q->tail_;
    head_ = q->head_;
    q->head_ = q->tail_ = nullptr;
  }
  // Null when empty.
  G* Pop() {
    G* gp = head_;
    if (gp != nullptr) {
      head_ = gp->schedlink;
      if (head_ == nullptr) tail_ = nullptr;
      gp->schedlink = nullptr;
    }
    return gp;
  }
  // Null when empty.
  G* First() const { return head_; }
  // Takes the first G for which wanted(gp) holds; null: there is none.
  template <class Wanted>
  G* TakeFirst(Wanted wanted) {
    G* before = nullptr;
    G* gp = head_;
    while (gp != nullptr && !wanted(gp)) {
      before = gp;
      gp = gp->schedlink;
    }
    if (gp == nullptr) return nullptr;
    (before != nullptr ? before->schedlink : head_) = gp->schedlink;
    if (tail_ == gp) tail_ = before;
    gp->schedlink = nullptr;
    return gp;
  }

 private:
  G* head_ = nullptr;
  G* tail_ = nullptr;
};

}  // namespace gort::rt

#endif  // GORT_GMP_GLIST_H_
