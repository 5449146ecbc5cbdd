// chan/internal/lent.h: sends that give the value back when nobody took it.
// What      Lent<T>, an element that stands in the program's variable, is taken from there for a
//           send, and is put back unless it was sent; and the two tries that are certain of their
//           send before they take it.
// How       bytes: the channel copies them out of the variable itself. Relocated: moved into the
//           frame, and back. Boxed: moved into the box, and back; a type whose move may throw and
//           that can be copied is copied into the box, so that the variable has its value all along.
//           Of a type that can only be moved, and whose move may throw, the move back may throw.
// Layer     7. Used by chan.h and the cases of select.
#ifndef GORT_CHAN_INTERNAL_LENT_H_
#define GORT_CHAN_INTERNAL_LENT_H_

#include <memory>
#include <type_traits>
#include <utility>

#include "gort/chan/internal/element.h"
#include "gort/chan/internal/hchan.h"

namespace gort::rt {

template <class T>
inline constexpr bool kNoThrowMove = !kElemBoxed<T> || std::is_nothrow_move_constructible_v<T>;

// A Lent of it holds a copy.
template <class T>
inline constexpr bool kLendsCopy = !kNoThrowMove<T> && std::is_copy_constructible_v<T>;

// A Lent of it cannot lose the value.
template <class T>
inline constexpr bool kComesBack = kNoThrowMove<T> || kLendsCopy<T>;

// Moves v, which was moved out of *from, back. By assignment where that cannot throw: *from may keep
// what its assignment leaves alone.
template <class T>
void MoveBack(T* from, T& v) noexcept(kNoThrowMove<T>) {
  if constexpr (kElemBoxed<T> && std::is_nothrow_move_assignable_v<T>) {
    *from = std::move(v);
  } else if constexpr (kNoThrowMove<T>) {
    Replace(from, v);
  } else {
    Assign(from, v);
  }
}

template <class T, bool bytes = kElemBytes<T>>
class Lent {
 public:
  explicit Lent(T* from) : from_(from), out_(static_cast<Given>(*from)) {}
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;
  // A move back that throws here has nobody to tell: another exception is on its way.
  ~Lent() {
    try {
      GiveBack();
    } catch (...) {
      static_cast<void>(0);
    }
  }

  void* raw() { return out_.raw(); }
  void SetSent() {
    out_.SetSent();
    from_ = nullptr;
  }
  // The variable has its value again, or had it all along. Throws what the move back throws.
  void GiveBack() {
    T* from = std::exchange(from_, nullptr);
    if (from == nullptr) return;
    if constexpr (!kLendsCopy<T>) MoveBack(from, out_.value());
  }

 private:
  using Given = std::conditional_t<kLendsCopy<T>, const T&, T&&>;

  T* from_;  // null: nothing to give back
  Outgoing<T> out_;
};

template <class T>
class Lent<T, true> {
 public:
  explicit Lent(T* from) : from_(from) {}
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;

  void* raw() { return from_; }
  void SetSent() {}
  void GiveBack() {}

 private:
  T* from_;
};

// A try of a relocated type: v is moved into this frame, and back if it was not sent.
template <class T>
Attempt TrySendRelocated(HChan* c, T& v) {
  if (c == nullptr || ChanSendWouldBlock(c)) return Attempt::kWouldBlock;
  Lent<T> lent(std::addressof(v));
  const Attempt attempt = ChanTrySend(c, lent.raw());
  if (attempt == Attempt::kDone) lent.SetSent();
  return attempt;
}

// A try of a boxed type that leaves v alone unless the send happens: the memory comes first, the
// move out of v once the send is certain, but for a close in between.
template <class T>
Attempt TrySendBoxed(HChan* c, T& v) {
  if (c == nullptr || ChanSendWouldBlock(c)) return Attempt::kWouldBlock;
  struct Pending {
    std::unique_ptr<Box<T>> box;
    T* from;
  } p{std::make_unique<Box<T>>(), std::addressof(v)};
  auto fill = [](void* arg) {
    auto* pending = static_cast<Pending*>(arg);
    pending->box->Fill(std::move(*pending->from));
  };
  const Attempt attempt = ChanTrySendBox(c, p.box.get(), fill, &p);
  if (attempt == Attempt::kDone) {
    p.box.release();
  } else if (p.box->full) {
    MoveBack(p.from, p.box->value);
  }
  return attempt;
}

}  // namespace gort::rt

#endif  // GORT_CHAN_INTERNAL_LENT_H_
