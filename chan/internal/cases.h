// chan/internal/cases.h: the cases of Select and of Selector.
// What      each kind of case is a class with two steps. Add() says to SelectGo what the case waits
//           for; Run() is called of the case that was chosen. A case that lends a variable's value
//           has two more between them: SetSent() of the one that was chosen, then
//           GiveBack() of all, before any function of the program runs.
// Layer     7. Used by select.h and selector.h.
#ifndef GORT_CHAN_INTERNAL_CASES_H_
#define GORT_CHAN_INTERNAL_CASES_H_

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "gort/chan/internal/element.h"
#include "gort/chan/internal/handle.h"
#include "gort/chan/internal/hchan.h"
#include "gort/chan/internal/lent.h"
#include "gort/chan/internal/select_go.h"

namespace gort::rt {

// No function.
struct Nothing {
  void operator()() const {}
};

// In place of a function: where a received element goes, or nullopt.
template <class T>
struct Into {
  std::optional<T>* out;  // null: nowhere
};
template <class T, class F>
inline constexpr bool kIsInto = std::is_same_v<F, Into<T>>;

// What a function may take of a receive. Of a function that could take several the first counts.
template <class F, class T>
concept TakesOptional = requires(F& f, std::optional<T> v) {
  f(std::move(v));
};
template <class F, class T>
concept TakesElement = requires(F& f, T&& v) {
  f(std::move(v));
};
template <class F>
concept Handler = requires(F& f) {
  f();
};
template <class F, class T>
concept RecvHandler = TakesOptional<F, T> || TakesElement<F, T> || Handler<F>;

template <class T, class F>
class RecvCase {
 public:
  static constexpr bool kIsDefault = false;

  RecvCase(ChanHandle ch, F f) : ch_(std::move(ch)), f_(std::move(f)) {}
  void Add(SelectCase* sc) {
    sc->c = ch_.hchan();
    sc->elem = in_.raw();
    sc->is_send = false;
  }
  void Run(bool received) {
    if (received) in_.SetFull();
    if constexpr (kIsInto<T, F>) {
      Store(received);
    } else if constexpr (TakesOptional<F, T>) {
      CallWithOptional(received);
    } else if constexpr (TakesElement<F, T>) {
      if (received) CallWithElement();
    } else {
      in_.Reset();
      static_cast<void>(f_());
    }
  }

 private:
  // Empties in_ when the element was taken out of it. One that could not be is the channel's again.
  struct Emptied {
    Incoming<T>* in;
    ~Emptied() { in->Reset(); }
  };

  T TakeElement() {
    Emptied after{&in_};
    return in_.Take(ch_.hchan());
  }
  std::optional<T> TakeOptional(bool received) {
    std::optional<T> v;
    if (received) {
      Emptied after{&in_};
      in_.Take(ch_.hchan(), &v);
    }
    Opaque(&v);
    return v;
  }

  void Store(bool received) {
    Emptied after{&in_};
    if (f_.out == nullptr) return;
    f_.out->reset();
    if (received) in_.Take(ch_.hchan(), f_.out);
  }

  // The result of Take... becomes f's parameter without a move. A large element stays on the heap,
  // for an f that takes a reference.
  void CallWithOptional(bool received) {
    if constexpr (sizeof(T) > kMaxCarried) {
      const std::unique_ptr<std::optional<T>> v(new std::optional<T>(TakeOptional(received)));
      static_cast<void>(f_(std::move(*v)));
    } else {
      static_cast<void>(f_(TakeOptional(received)));
    }
  }
  void CallWithElement() {
    if constexpr (sizeof(T) > kMaxCarried) {
      Incoming<T> here = std::move(in_);  // f may run the case again
      static_cast<void>(f_(std::move(here.value())));
    } else {
      static_cast<void>(f_(TakeElement()));
    }
  }

  ChanHandle ch_;
  Incoming<T> in_;
  [[no_unique_address]] F f_;
};

// Sends a value that is in the case.
template <class T, class F>
class SendCase {
  // An lvalue T is copied as const: a constructor of T that takes anything would take a T& rather
  // than leave it to the copy constructor.
  template <class U>
  using Given =
      std::conditional_t<std::is_same_v<U, T&> && std::is_copy_constructible_v<T>, const T&, U&&>;

 public:
  static constexpr bool kIsDefault = false;

  template <class U>
  SendCase(ChanHandle ch, U&& v, F f)
      : ch_(std::move(ch)), out_(static_cast<Given<U>>(v)), f_(std::move(f)) {}
  // Once sent, the case has nothing left to send and is never ready again, until it is refilled.
  void Add(SelectCase* sc) {
    sc->c = sent_ ? nullptr : ch_.hchan();
    sc->elem = out_.raw();
    sc->is_send = true;
  }
  void Run(bool) {
    out_.SetSent();
    sent_ = true;
    static_cast<void>(f_());
  }
  // What throws leaves the case as it was.
  template <class U>
  void Refill(U&& v) {
    Outgoing<T> next(static_cast<Given<U>>(v));
    std::destroy_at(&out_);
    std::construct_at(&out_, std::move(next));
    sent_ = false;
  }

 private:
  ChanHandle ch_;
  Outgoing<T> out_;
  bool sent_ = false;
  [[no_unique_address]] F f_;
};

// A case that sends from a variable, as one of the cases of a select: several may lend the same
// variable, of which one alone is sent.
class LenderBase {
 protected:
  LenderBase(const void* from, const ElemType* type) : from_(from), type_(type) {}
  // The earlier lender of the same variable, or null, and this one is now in the list.
  LenderBase* FindOrJoin(LenderBase** list) {
    for (LenderBase* other = *list; other != nullptr; other = other->next_) {
      if (other->from_ == from_ && other->type_ == type_) return other;
    }
    next_ = *list;
    *list = this;
    return nullptr;
  }

 private:
  const void* from_;
  const ElemType* type_;
  LenderBase* next_ = nullptr;  // in the select at hand
};

template <class T>
class Lender : public LenderBase {
 public:
  explicit Lender(T* from) : LenderBase(from, &kElemType<T>), from_(from) {}
  Lender(Lender&& o) noexcept : Lender(o.from_) {}

  // The variable's value, as an element to send.
  void* Lend(LenderBase** list) {
    LenderBase* earlier = FindOrJoin(list);
    owner_ = earlier != nullptr ? static_cast<Lender*>(earlier) : this;
    if (earlier == nullptr) lent_.emplace(from_);
    return owner_->lent_->raw();
  }
  void SetSent() { owner_->lent_->SetSent(); }
  void GiveBack() { lent_.reset(); }

 private:
  T* from_;
  Lender* owner_ = nullptr;  // who has the value in the select at hand
  std::optional<Lent<T>> lent_;
};

// Sends the value of a variable of the program's, which has it still if the case is not chosen.
template <class T, class F>
class LendCase {
  static_assert(kComesBack<T>,
                "a value whose move may throw and that cannot be copied could be lost");

 public:
  static constexpr bool kIsDefault = false;

  LendCase(ChanHandle ch, T* from, F f) : ch_(std::move(ch)), lender_(from), f_(std::move(f)) {}
  void Add(SelectCase* sc, LenderBase** list) {
    sc->c = ch_.hchan();
    sc->elem = lender_.Lend(list);
    sc->is_send = true;
  }
  void SetSent() { lender_.SetSent(); }
  void GiveBack() { lender_.GiveBack(); }
  void Run(bool) { static_cast<void>(f_()); }

 private:
  ChanHandle ch_;
  Lender<T> lender_;
  [[no_unique_address]] F f_;
};

template <class F>
class DefaultCase {
 public:
  static constexpr bool kIsDefault = true;

  explicit DefaultCase(F f) : f_(std::move(f)) {}
  void Add(SelectCase*) {}
  void Run(bool) { static_cast<void>(f_()); }

 private:
  [[no_unique_address]] F f_;
};

template <class C>
concept SelectableCase = requires(C c) {
  { std::remove_reference_t<C>::kIsDefault } -> std::convertible_to<bool>;
  c.Run(true);
};

template <class C>
inline constexpr bool kIsDefaultCase = std::remove_reference_t<C>::kIsDefault;

template <class C>
inline constexpr bool kLendsCase = requires(C c) {
  c.GiveBack();
};

template <class C>
void AddCase(C& c, SelectCase* sc, LenderBase** lenders) {
  if constexpr (kLendsCase<C>) {
    c.Add(sc, lenders);
  } else {
    c.Add(sc);
  }
}
template <class C>
void SetCaseSent(C& c) {
  if constexpr (kLendsCase<C>) c.SetSent();
}
template <class C>
void GiveBackCase(C& c) {
  if constexpr (kLendsCase<C>) c.GiveBack();
}

// U is a pointer to a variable that is to be sent from, and no value of T's itself. (A T* would
// otherwise be a bool, too.)
template <class U, class T>
concept Lending = std::is_same_v<std::remove_cvref_t<U>, T*> &&
                  (!std::is_convertible_v<T*, T> || std::is_same_v<T, bool>);
template <class U, class T>
concept Sendable = std::is_convertible_v<U, T> && !Lending<U, T>;

// The case that sends v over ch.
template <class T, class U, class F>
auto MakeSendCase(ChanHandle ch, U&& v, F f) {
  if constexpr (Lending<U, T>) {
    return LendCase<T, F>(std::move(ch), v, std::move(f));
  } else {
    return SendCase<T, F>(std::move(ch), std::forward<U>(v), std::move(f));
  }
}

}  // namespace gort::rt

#endif  // GORT_CHAN_INTERNAL_CASES_H_
