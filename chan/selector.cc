#include "gort/chan/selector.h"

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "gort/base/panic.h"
#include "gort/chan/internal/select_go.h"

namespace gort {

// While it lives a function of a case is being called: cases that are removed are kept.
class Selector::Running {
 public:
  explicit Running(Selector* s) : s_(s) { ++s_->running_; }
  ~Running() {
    if (--s_->running_ != 0) return;
    std::vector<std::unique_ptr<Case>> gone;  // their ends are code of the program, which may Run
    gone.swap(s_->removed_);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  Selector* s_;
};

void Selector::swap(Selector& o) noexcept {
  cases_.swap(o.cases_);
  free_.swap(o.free_);
  scases_.swap(o.scases_);
  order_.swap(o.order_);
  removed_.swap(o.removed_);
  std::swap(default_, o.default_);
  std::swap(last_, o.last_);
  std::swap(running_, o.running_);
}

// Run and Remove find room for n cases.
void Selector::Reserve(size_t n) {
  free_.reserve(n);
  scases_.reserve(n);
  order_.reserve(2 * n);
  cases_.reserve(n);
}

Selector& Selector::Put(std::unique_ptr<Case> c) {
  if (!free_.empty()) {
    last_ = free_.back();
    free_.pop_back();
    cases_[static_cast<size_t>(last_)] = Entry{std::move(c), true};
    return *this;
  }
  if (cases_.size() == cases_.capacity()) Reserve(2 * cases_.size() + 4);
  cases_.push_back(Entry{std::move(c), true});
  last_ = static_cast<int>(cases_.size()) - 1;
  return *this;
}

const Selector::Entry& Selector::At(int index) const {
  if (index < 0 || static_cast<size_t>(index) >= cases_.size() ||
      cases_[static_cast<size_t>(index)].impl == nullptr) {
    throw Panic("select: no such case");
  }
  return cases_[static_cast<size_t>(index)];
}

Selector::Entry& Selector::At(int index) {
  return const_cast<Entry&>(std::as_const(*this).At(index));
}

Selector& Selector::SetEnabled(int index, bool enabled) {
  At(index).enabled = enabled;
  return *this;
}

Selector& Selector::Remove(int index) {
  Entry& entry = At(index);
  if (running_ > 0) removed_.reserve(removed_.size() + 1);
  std::unique_ptr<Case> gone = std::move(entry.impl);  // ends last: it is code of the program
  free_.push_back(index);
  if (index == default_) default_ = -1;
  if (running_ > 0) removed_.push_back(std::move(gone));
  return *this;
}

void* Selector::SlotAt(int index, const rt::ElemType* type) {
  void* slot = At(index).impl->Slot(type);
  if (slot == nullptr) throw Panic("select: the case does not send such a value");
  return slot;
}

void Selector::NoCopy() { throw Panic("select: the value cannot be copied"); }

void Selector::AddAll() {
  scases_.resize(cases_.size());
  order_.resize(2 * cases_.size());
  rt::LenderBase* lenders = nullptr;
  for (size_t i = 0; i < cases_.size(); ++i) {
    scases_[i].c = nullptr;
    const Entry& entry = cases_[i];
    if (entry.impl != nullptr && entry.enabled) entry.impl->Add(&scases_[i], &lenders);
  }
}

// Index of the case to run. What was lent and not sent is back, also when this throws.
int Selector::Choose(bool* received) {
  struct GiveBack {
    Selector* s;
    ~GiveBack() {
      for (const Entry& entry : s->cases_) {
        if (entry.impl != nullptr && entry.impl->lends) entry.impl->GiveBack();
      }
    }
  } at_end{this};
  AddAll();
  const bool block = default_ < 0 || !cases_[static_cast<size_t>(default_)].enabled;
  const int chosen =
      rt::SelectGo(scases_.data(), order_.data(), static_cast<int>(cases_.size()), block, received);
  if (chosen == rt::kSelectDefault) return default_;
  cases_[static_cast<size_t>(chosen)].impl->SetSent();
  return chosen;
}

int Selector::Run() {
  bool received = false;
  const int chosen = Choose(&received);
  const Running running(this);
  cases_[static_cast<size_t>(chosen)].impl->Run(received);
  return chosen;
}

}  // namespace gort
