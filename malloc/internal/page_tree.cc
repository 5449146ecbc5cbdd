// The tree of long free spans behind malloc/internal/page_alloc.h.
#include "gort/base/throw.h"
#include "gort/malloc/internal/page_alloc.h"

namespace gort::rt {

// Recomputes what s knows of its subtree.
void PageAlloc::Update(MSpan* s) const {
  s->releasable = Releasable(s) || (s->left != nullptr && s->left->releasable) ||
                  (s->right != nullptr && s->right->releasable);
}

// The same for s and those above it, as far as anything changes.
void PageAlloc::UpdateUp(MSpan* s) const {
  for (; s != nullptr; s = s->parent) {
    const bool before = s->releasable;
    Update(s);
    if (s->releasable == before) return;
  }
}

// Lets `by` (or nothing) hang where s hangs.
void PageAlloc::Replace(MSpan* s, MSpan* by) {
  if (s->parent == nullptr) {
    root_ = by;
  } else if (s->parent->left == s) {
    s->parent->left = by;
  } else {
    s->parent->right = by;
  }
  if (by != nullptr) by->parent = s->parent;
}

// Exchanges s with its parent, keeping the order.
void PageAlloc::RotateUp(MSpan* s) {
  MSpan* p = s->parent;
  Replace(p, s);
  MSpan* middle;
  if (p->left == s) {
    middle = s->right;
    p->left = middle;
    s->right = p;
  } else {
    middle = s->left;
    p->right = middle;
    s->left = p;
  }
  if (middle != nullptr) middle->parent = p;
  p->parent = s;
  Update(p);
  Update(s);
}

void PageAlloc::TreeInsert(MSpan* s) {
  s->left = s->right = nullptr;
  s->priority = rand_.Next();
  MSpan* parent = nullptr;
  MSpan** link = &root_;
  while (*link != nullptr) {
    parent = *link;
    link = Before(s->n_pages, s->base, parent) ? &parent->left : &parent->right;
  }
  s->parent = parent;
  *link = s;
  s->releasable = false;
  UpdateUp(s);
  while (s->parent != nullptr && s->parent->priority < s->priority) RotateUp(s);
}

void PageAlloc::TreeRemove(MSpan* s) {
  while (s->left != nullptr && s->right != nullptr) {
    RotateUp(s->left->priority > s->right->priority ? s->left : s->right);
  }
  Replace(s, s->left != nullptr ? s->left : s->right);
  UpdateUp(s->parent);
}

MSpan* PageAlloc::TreeFind(size_t n) const {
  MSpan* best = nullptr;
  for (MSpan* s = root_; s != nullptr;) {
    if (s->n_pages >= n) {
      best = s;
      s = s->left;
    } else {
      s = s->right;
    }
  }
  return best;
}

MSpan* PageAlloc::FindReleasable() const {
  MSpan* s = root_;
  if (s == nullptr || !s->releasable) return lists_.LongestReleasable();
  while (true) {
    if (s->right != nullptr && s->right->releasable) {
      s = s->right;
    } else if (Releasable(s)) {
      return s;
    } else {
      s = s->left;
    }
  }
}

void PageAlloc::CheckSpan(const MSpan* s, size_t* pages, size_t* released) const {
  GORT_CHECK(s->state.load(std::memory_order_relaxed) == SpanState::kFree);
  GORT_CHECK(s->n_pages > 0 && s->n_released <= WholePages(s));
  GORT_CHECK(s->n_released == map_->CountReleased(s->first_page(), s->n_pages));
  GORT_CHECK(map_->Get(s->base) == s && map_->GetPage(s->end_page() - 1) == s);
  const MSpan* after = map_->GetPage(s->end_page());
  GORT_CHECK(after == nullptr || after->base != PageAddress(s->end_page()) ||
             after->state.load(std::memory_order_relaxed) != SpanState::kFree);
  *pages += s->n_pages;
  *released += s->n_released;
}

size_t PageAlloc::CheckTree(const MSpan* s, size_t* pages, size_t* released) const {
  if (s == nullptr) return 0;
  CheckSpan(s, pages, released);
  GORT_CHECK(s->n_pages > SpanLists::kMostPages);
  bool below = false;
  for (const MSpan* child : {s->left, s->right}) {
    if (child == nullptr) continue;
    GORT_CHECK(child->parent == s && child->priority <= s->priority);
    GORT_CHECK(Before(child->n_pages, child->base, s) == (child == s->left));
    below = below || child->releasable;
  }
  GORT_CHECK(s->releasable == (below || Releasable(s)));
  return 1 + CheckTree(s->left, pages, released) + CheckTree(s->right, pages, released);
}

size_t PageAlloc::Check() const {
  size_t pages = 0;
  size_t released = 0;
  size_t spans = CheckTree(root_, &pages, &released);
  const bool agree = lists_.ForEach([&](const MSpan* s) {
    CheckSpan(s, &pages, &released);
    GORT_CHECK(s->releasable == Releasable(s));
    ++spans;
  });
  GORT_CHECK(agree);
  GORT_CHECK(pages == free_pages_ && released == released_pages_);
  GORT_CHECK(root_ == nullptr || root_->parent == nullptr);
  return spans;
}

}  // namespace gort::rt
