// gort/chan/selector.h: a select whose cases come, go and change at run time.
// What      Selector, which Run()s as Select does, once or in a loop. A case can be switched off and
//           on, given its next value to send, and removed; the others keep their indices.
// Layer     7.                                        Go: reflect.Select
// Choice    and functions: as select.h has them. A function may do anything to its Selector but
//           destroy or move it: add, remove and refill cases, its own too, and Run.
// Contract  | call              | goroutine | other thread | parks | allocates             |
//           | Run               |     x     | blocks it    |   x   | boxed types           |
//           | with a Default    |     x     |      x       |   -   | boxed types           |
//           | Recv, Send, …     |     x     |      x       |   -   | x                     |
//           | Enable, Disable   |     x     |      x       |   -   | -                     |
//           | Refill, Remove    |     x     |      x       |   -   | boxed types           |
//           One thread or goroutine at a time.
#ifndef GORT_CHAN_SELECTOR_H_
#define GORT_CHAN_SELECTOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "gort/base/panic.h"
#include "gort/chan/chan.h"
#include "gort/chan/internal/cases.h"
#include "gort/chan/internal/element.h"
#include "gort/chan/internal/hchan.h"
#include "gort/chan/internal/select_go.h"

namespace gort {

// Cases keep their functions and stay, except that a send of a value that was chosen is spent: never
// ready again until Refill. Movable; what is moved from is as new.
class Selector {
 public:
  Selector() = default;
  Selector(Selector&& o) noexcept { swap(o); }
  Selector& operator=(Selector&& o) noexcept {
    Selector(std::move(o)).swap(*this);
    return *this;
  }

  // Adds a case, as OnRecv, OnSend and Default make them: f, or a std::optional<T>* for what is
  // received; a value, or a T* to send from each time. last() is the index of the new case.
  template <class Ch, class F = rt::Nothing>
  requires rt::RecvHandler<F, typename Ch::value_type> Selector& Recv(const Ch& ch, F f = {}) {
    return AddRecv(ch, std::move(f));
  }
  template <class Ch>
  Selector& Recv(const Ch& ch, std::optional<typename Ch::value_type>* out) {
    return AddRecv(ch, rt::Into<typename Ch::value_type>{out});
  }
  template <class Ch, class U = typename Ch::value_type, rt::Handler F = rt::Nothing>
  requires rt::Sendable<U, typename Ch::value_type> || rt::Lending<U, typename Ch::value_type>
      Selector& Send(const Ch& ch, U&& value, F f = {}) {
    using T = typename Ch::value_type;
    static_assert(std::is_convertible_v<Ch, SendChan<T>>, "not a channel to send to");
    return Push(rt::MakeSendCase<T>(SendChan<T>(ch), std::forward<U>(value), std::move(f)));
  }
  // Throws Panic("select: multiple default cases").
  template <rt::Handler F = rt::Nothing>
  Selector& Default(F f = {}) {
    if (default_ >= 0) throw Panic("select: multiple default cases");
    Push(rt::DefaultCase<F>(std::move(f)));
    default_ = last_;
    return *this;
  }

  // As Select; returns the index of the case that it ran. Allocates nothing of its own once it has
  // run with as many cases.
  int Run();

  // The index of a case is the number of cases added before it, but for those that were removed: a
  // new case takes the index of one of them. last: of the case that was added last; -1: none.
  int last() const { return last_; }
  // One more than the highest index that there has been.
  size_t size() const { return cases_.size(); }

  // These throw Panic("select: no such case") where there is none.

  // Disable: the case is not looked at, as that of a nil channel, until Enable. With no case left
  // Run blocks for ever; a Default is no longer taken.
  Selector& Disable(int index) { return SetEnabled(index, false); }
  Selector& Enable(int index) { return SetEnabled(index, true); }
  bool Enabled(int index) const { return At(index).enabled; }
  // Destroys the case, with its function and a value not sent.
  Selector& Remove(int index);
  // The value that this send case sends next, in place of one that it has still. T must be the
  // channel's element exactly: Refill<std::string>(2, "text"). Throws Panic("select: the case does
  // not send such a value"); what the copy or move throws leaves the case as it was.
  template <class T>
  Selector& Refill(int index, T&& value) {
    using Elem = std::remove_cvref_t<T>;
    static_assert(!std::is_array_v<Elem>, "name the channel's element: Refill<std::string>(…)");
    static_assert(std::is_constructible_v<Elem, T&&>, "the value cannot be copied: move it");
    auto* slot = static_cast<SlotOf<Elem>*>(SlotAt(index, &rt::kElemType<Elem>));
    slot->Refill(std::forward<T>(value));
    return *this;
  }

 private:
  // Where a send case of T takes its next value.
  template <class T>
  struct SlotOf {
    virtual void Refill(const T& value) = 0;
    virtual void Refill(T&& value) = 0;

   protected:
    ~SlotOf() = default;
  };

  struct Case {
    virtual ~Case() = default;
    virtual void Add(rt::SelectCase* sc, rt::LenderBase** lenders) = 0;
    virtual void SetSent() {}
    virtual void GiveBack() {}
    virtual void Run(bool received) = 0;
    // Its SlotOf<T>, if `type` is T's; otherwise null.
    virtual void* Slot(const rt::ElemType*) { return nullptr; }
    bool lends = false;
  };
  template <class C>
  struct CaseOf : Case {
    explicit CaseOf(C&& c) : impl(std::move(c)) { lends = rt::kLendsCase<C>; }
    void Add(rt::SelectCase* sc, rt::LenderBase** lenders) override {
      rt::AddCase(impl, sc, lenders);
    }
    void SetSent() override { rt::SetCaseSent(impl); }
    void GiveBack() override { rt::GiveBackCase(impl); }
    void Run(bool received) override { impl.Run(received); }
    C impl;
  };
  template <class T, class F>
  struct SendCaseOf final : CaseOf<rt::SendCase<T, F>>, SlotOf<T> {
    using CaseOf<rt::SendCase<T, F>>::CaseOf;
    void* Slot(const rt::ElemType* type) override {
      return type == &rt::kElemType<T> ? static_cast<SlotOf<T>*>(this) : nullptr;
    }
    void Refill(const T& value) override {
      if constexpr (std::is_copy_constructible_v<T>) {
        this->impl.Refill(value);
      } else {
        NoCopy();
      }
    }
    void Refill(T&& value) override { this->impl.Refill(std::move(value)); }
  };
  struct Entry {
    std::unique_ptr<Case> impl;  // null: removed
    bool enabled = true;
  };
  class Running;

  template <class C>
  struct CaseClass {
    using type = CaseOf<C>;
  };
  template <class T, class F>
  struct CaseClass<rt::SendCase<T, F>> {
    using type = SendCaseOf<T, F>;
  };

  template <class Ch, class F>
  Selector& AddRecv(const Ch& ch, F f) {
    using T = typename Ch::value_type;
    static_assert(std::is_convertible_v<Ch, RecvChan<T>>, "not a channel to receive from");
    return Push(rt::RecvCase<T, F>(RecvChan<T>(ch), std::move(f)));
  }
  template <class C>
  Selector& Push(C&& c) {
    return Put(std::make_unique<typename CaseClass<C>::type>(std::move(c)));
  }

  void swap(Selector& o) noexcept;
  void Reserve(size_t n);
  Selector& Put(std::unique_ptr<Case> c);
  Entry& At(int index);
  const Entry& At(int index) const;
  Selector& SetEnabled(int index, bool enabled);
  void* SlotAt(int index, const rt::ElemType* type);
  void AddAll();
  int Choose(bool* received);
  [[noreturn]] static void NoCopy();

  std::vector<Entry> cases_;
  std::vector<int> free_;                       // indices of those removed
  std::vector<rt::SelectCase> scases_;          // scratch space of Run
  std::vector<uint32_t> order_;                 // scratch space of Run
  std::vector<std::unique_ptr<Case>> removed_;  // by functions of cases that may be theirs
  int default_ = -1;                            // index of the default; -1: none
  int last_ = -1;
  int running_ = 0;  // functions of cases that are being called, one within another
};

}  // namespace gort

#endif  // GORT_CHAN_SELECTOR_H_
