// chan/internal/element.h: how a channel carries elements of type T.
// What      three ways, chosen at compile time:
//             bytes   trivially copyable T: copied with memcpy; empty classes take no room at all;
//             moved   T whose move constructor and destructor are noexcept: moved into and out of
//                     the ring and from frame to frame;
//             boxed   any other T: lives on the heap from before the send until after the receive,
//                     and the channel carries the pointer.
//           So nothing throws while a channel is half-way through an operation. An element of a
//           boxed type is moved twice, once into its box, before the channel is touched, and once
//           out of it; when the latter throws, the box goes back to the front of the channel.
//           Rejected: letting moves throw under the lock and undoing the operation. A hand-over
//           that wins a select cannot be undone, since other channels have seen it won.
// Layer     7. Used by chan.h and select.h only.
#ifndef GORT_CHAN_INTERNAL_ELEMENT_H_
#define GORT_CHAN_INTERNAL_ELEMENT_H_

#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include "gort/base/attributes.h"
#include "gort/chan/internal/hchan.h"

namespace gort::rt {

template <class T>
inline constexpr bool kElemBytes =
    std::is_trivially_copyable_v<T>&& std::is_trivially_move_constructible_v<T>;

template <class T>
inline constexpr bool kElemBoxed =
    !std::is_nothrow_move_constructible_v<T> || !std::is_nothrow_destructible_v<T>;

// Send takes these by value.
template <class T>
inline constexpr bool kSendByValue = !kElemBoxed<T> && alignof(T) <= alignof(std::max_align_t);

// An element on the heap, or, until Fill, room for one.
template <class T>
struct Box : BoxBase {
  Box() {}
  ~Box() {
    if (full) value.~T();
  }
  template <class U>
  void Fill(U&& v) {
    ::new (static_cast<void*>(std::addressof(value))) T(std::forward<U>(v));
    full = true;
  }

  union {
    T value;
  };
  bool full = false;
};

template <class T>
void ElemMove(void* dst, void* src) noexcept {
  ::new (dst) T(std::move(*static_cast<T*>(src)));
}

template <class T>
void ElemRelocate(void* dst, void* src) noexcept {
  T* from = static_cast<T*>(src);
  ::new (dst) T(std::move(*from));
  from->~T();
}

template <class T>
void ElemDestroy(void* elem) noexcept {
  static_cast<T*>(elem)->~T();
}

template <class T>
void ElemDeleteBox(void* elem) noexcept {
  delete static_cast<Box<T>*>(*static_cast<BoxBase**>(elem));
}

template <class T>
constexpr ElemType MakeElemType() {
  if constexpr (kElemBoxed<T>) {
    return {sizeof(BoxBase*), alignof(BoxBase*), nullptr, nullptr, &ElemDeleteBox<T>};
  } else if constexpr (kElemBytes<T>) {
    return {std::is_empty_v<T> ? 0 : sizeof(T), alignof(T), nullptr, nullptr, nullptr};
  } else {
    return {sizeof(T), alignof(T), &ElemMove<T>, &ElemRelocate<T>, &ElemDestroy<T>};
  }
}

template <class T>
inline constexpr ElemType kElemType = MakeElemType<T>();

// The compiler must take *p for something that anybody may have written. gcc 12 otherwise follows
// the path on which a receive got nothing into the caller's `*v`, and warns of an uninitialised
// read there, though the caller knows better.
template <class T>
GORT_ALWAYS_INLINE void Opaque(T* p) {
  asm volatile("" : : "r"(p) : "memory");
}

// Room for an element that a receive may fill. Not filled: nothing to destroy.
template <class T, bool boxed = kElemBoxed<T>>
class Incoming {
 public:
  Incoming() {}
  ~Incoming() {
    if (full_) value_.~T();
  }
  // Only before anything was received.
  Incoming(Incoming&&) noexcept {}
  Incoming& operator=(Incoming&&) = delete;

  void* raw() { return std::addressof(value_); }
  // The receive filled raw().
  void SetFull() { full_ = true; }
  void Reset() {
    if (full_) value_.~T();
    full_ = false;
  }
  T& value() { return value_; }

  void Take(HChan*, std::optional<T>* out) { out->emplace(std::move(value_)); }
  void TakeInto(HChan*, T* out) {
    if constexpr (std::is_nothrow_move_assignable_v<T>) {
      *out = std::move(value_);
    } else {
      std::destroy_at(out);
      std::construct_at(out, std::move(value_));
    }
  }

 private:
  union {
    T value_;
  };
  bool full_ = false;
};

template <class T>
class Incoming<T, true> {
 public:
  Incoming() = default;
  ~Incoming() { Reset(); }
  Incoming(Incoming&&) noexcept {}
  Incoming& operator=(Incoming&&) = delete;

  void* raw() { return &box_; }
  void SetFull() {}
  void Reset() {
    delete static_cast<Box<T>*>(box_);
    box_ = nullptr;
  }
  T& value() { return static_cast<Box<T>*>(box_)->value; }

  // When moving out throws, c has the element back.
  void Take(HChan* c, std::optional<T>* out) {
    GiveBack guard{this, c};
    out->emplace(std::move(value()));
    guard.c = nullptr;
  }
  void TakeInto(HChan* c, T* out) {
    GiveBack guard{this, c};
    *out = std::move(value());
    guard.c = nullptr;
  }

 private:
  struct GiveBack {
    Incoming* in;
    HChan* c;
    ~GiveBack() {
      if (c != nullptr) ChanUnrecv(c, std::exchange(in->box_, nullptr));
    }
  };
  BoxBase* box_ = nullptr;
};

// An element on its way into a channel, owned by the sender until it is sent.
template <class T, bool boxed = kElemBoxed<T>>
class Outgoing {
 public:
  template <class U>
  explicit Outgoing(U&& v) : value_(std::forward<U>(v)) {}

  void* raw() { return std::addressof(value_); }
  void SetSent() {}

 private:
  T value_;
};

template <class T>
class Outgoing<T, true> {
 public:
  template <class U>
  explicit Outgoing(U&& v) {
    auto box = std::make_unique<Box<T>>();
    box->Fill(std::forward<U>(v));
    box_ = box.release();
  }
  Outgoing(Outgoing&& o) noexcept : box_(std::exchange(o.box_, nullptr)) {}
  Outgoing& operator=(Outgoing&&) = delete;
  ~Outgoing() { delete static_cast<Box<T>*>(box_); }

  void* raw() { return &box_; }
  void SetSent() { box_ = nullptr; }

 private:
  BoxBase* box_ = nullptr;
};

// A non-blocking send of a boxed type that leaves v alone unless the send happens: the memory comes
// first, the move out of v once the send is certain.
template <class T>
bool TrySendBoxed(HChan* c, T& v) {
  if (c == nullptr || ChanSendWouldBlock(c)) return false;
  struct Pending {
    std::unique_ptr<Box<T>> box;
    T* from;
  } p{std::make_unique<Box<T>>(), std::addressof(v)};
  auto fill = [](void* arg) {
    auto* pending = static_cast<Pending*>(arg);
    pending->box->Fill(std::move(*pending->from));
  };
  if (!ChanTrySendBox(c, p.box.get(), fill, &p)) return false;
  p.box.release();
  return true;
}

}  // namespace gort::rt

#endif  // GORT_CHAN_INTERNAL_ELEMENT_H_
