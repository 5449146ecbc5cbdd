// chan/internal/element.h: how a channel carries elements of type T.
// What      three ways, chosen at compile time:
//             bytes      trivially copyable T: copied with memcpy; empty classes take no room;
//             relocated  T of which gort::kRelocatable says that its bytes are the object: moved
//                        into the sender's frame, copied from there with memcpy, and forgotten;
//             boxed      any other T, and all that are larger than kMaxCarried: lives on the heap
//                        from before the send until after the receive, and the channel carries the
//                        pointer.
//           So no code of the program runs with the channel's lock held, nothing throws while a
//           channel is half-way through an operation, and no frame of ours holds a large element.
//           An element of a boxed type is moved twice, once into its box, before the channel is
//           touched, and once out of it; when the latter throws, the box goes back to the front of
//           the channel.
//           Rejected: moving under the lock what promises not to throw. A move that waits, or that
//           uses the channel, then hangs. Letting moves throw under the lock and undoing the
//           operation: a hand-over that wins a select cannot be undone, since other channels have
//           seen it won.
// Layer     7. Used by chan.h and select.h only.
#ifndef GORT_CHAN_INTERNAL_ELEMENT_H_
#define GORT_CHAN_INTERNAL_ELEMENT_H_

#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "gort/base/attributes.h"
#include "gort/chan/internal/hchan.h"

namespace gort {

// True: to copy the bytes of a T to another place, and to forget the first, moves the T. A channel
// then carries it without an allocation. A program may say so of a type of its own, whose move and
// destructor must not throw then; a type that holds an address within itself (std::string of
// libstdc++ does) or that is registered by its address is not of this kind:
//   template <> inline constexpr bool gort::kRelocatable<Request> = true;
template <class T>
inline constexpr bool kRelocatable = std::is_trivially_copyable_v<T>;
template <class T>
inline constexpr bool kRelocatable<std::unique_ptr<T>> = true;
template <class T>
inline constexpr bool kRelocatable<std::shared_ptr<T>> = true;
template <class T>
inline constexpr bool kRelocatable<std::weak_ptr<T>> = true;
#ifndef _GLIBCXX_DEBUG
template <class T>
inline constexpr bool kRelocatable<std::vector<T>> = true;
#endif

namespace rt {

// Larger elements are boxed: a box costs no more than to copy that much, and channels have elements
// in frames of gort.
inline constexpr size_t kMaxCarried = 1024;

template <class T>
inline constexpr bool kElemBytes =
    sizeof(T) <=
    kMaxCarried&& std::is_trivially_copyable_v<T>&& std::is_trivially_move_constructible_v<T>;

template <class T>
inline constexpr bool kElemBoxed = sizeof(T) > kMaxCarried || !(kElemBytes<T> || kRelocatable<T>);

// Send takes these by value.
template <class T>
inline constexpr bool kSendByValue = kElemBytes<T> && alignof(T) <= alignof(std::max_align_t);

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
    return {sizeof(BoxBase*), alignof(BoxBase*), &ElemDeleteBox<T>};
  } else if constexpr (kElemBytes<T>) {
    return {std::is_empty_v<T> ? 0 : sizeof(T), alignof(T), nullptr};
  } else {
    return {sizeof(T), alignof(T), &ElemDestroy<T>};
  }
}

template <class T>
inline constexpr ElemType kElemType = MakeElemType<T>();

// What ChanSendAndWait and ChanRecvAndWait are to know of the size of a T.
template <class T>
inline constexpr size_t kWaitSize =
    !kElemBoxed<T> && (kElemType<T>.size == 0 || kElemType<T>.size == 8 || kElemType<T>.size == 16)
        ? kElemType<T>.size
        : kAnySize;

// The compiler must take *p for something that anybody may have written. gcc 12 otherwise follows
// the path on which a receive got nothing into the caller's `*v`, and warns of an uninitialised
// read there, though the caller knows better.
template <class T>
GORT_ALWAYS_INLINE void Opaque(T* p) {
  asm volatile("" : : "r"(p) : "memory");
}

// For a T without assignment: *out ends, and `from` is moved to its place. There is no way back
// once it has ended, hence noexcept.
template <class T>
void Replace(T* out, T& from) noexcept {
  std::destroy_at(out);
  std::construct_at(out, std::move(from));
}

// By assignment if T has one: *out may keep what its assignment leaves alone, such as an allocator.
template <class T>
void Assign(T* out, T& from) {
  if constexpr (std::is_move_assignable_v<T>) {
    *out = std::move(from);
  } else {
    Replace(out, from);
  }
}

// Room for an element that a receive may fill. Not filled: nothing to destroy.
template <class T, bool boxed = kElemBoxed<T>>
class Incoming {
 public:
  Incoming() {}
  ~Incoming() {
    if (full_) value_.~T();
  }
  Incoming(Incoming&& o) noexcept { TakeFrom(o); }
  Incoming& operator=(Incoming&& o) noexcept {
    if (this == &o) return *this;
    Reset();
    TakeFrom(o);
    return *this;
  }

  void* raw() { return std::addressof(value_); }
  // The receive filled raw().
  void SetFull() { full_ = true; }
  void Reset() {
    if (full_) value_.~T();
    full_ = false;
  }
  T& value() { return value_; }

  T Take(HChan*) { return T(std::move(value_)); }
  void Take(HChan*, std::optional<T>* out) { out->emplace(std::move(value_)); }
  void TakeInto(HChan*, T* out) { Assign(out, value_); }

 private:
  // What is carried as it is does not throw when it moves.
  void TakeFrom(Incoming& o) noexcept {
    if (!o.full_) return;
    std::construct_at(std::addressof(value_), std::move(o.value_));
    full_ = true;
    o.Reset();
  }

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
  Incoming(Incoming&& o) noexcept : box_(std::exchange(o.box_, nullptr)) {}
  Incoming& operator=(Incoming&& o) noexcept {
    if (this == &o) return *this;
    Reset();
    box_ = std::exchange(o.box_, nullptr);
    return *this;
  }

  void* raw() { return &box_; }
  void SetFull() {}
  void Reset() {
    delete static_cast<Box<T>*>(box_);
    box_ = nullptr;
  }
  T& value() { return static_cast<Box<T>*>(box_)->value; }

  // When moving out throws, c has the element back.
  T Take(HChan* c) {
    try {
      return T(std::move(value()));
    } catch (...) {
      ChanUnrecv(c, std::exchange(box_, nullptr));
      throw;
    }
  }
  void Take(HChan* c, std::optional<T>* out) {
    GiveBack guard{this, c};
    out->emplace(std::move(value()));
    guard.c = nullptr;
  }
  void TakeInto(HChan* c, T* out) {
    GiveBack guard{this, c};
    Assign(out, value());
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
template <class T, bool boxed = kElemBoxed<T>, bool bytes = kElemBytes<T>>
class Outgoing {
 public:
  template <class U>
  explicit Outgoing(U&& v) : value_(std::forward<U>(v)) {}
  Outgoing(Outgoing&& o) noexcept : held_(o.held_) {
    if (held_) std::construct_at(std::addressof(value_), std::move(o.value_));
  }
  Outgoing& operator=(Outgoing&&) = delete;
  ~Outgoing() {
    if (held_) value_.~T();
  }

  void* raw() { return std::addressof(value_); }
  T& value() { return value_; }
  // The bytes are the channel's.
  void SetSent() { held_ = false; }

 private:
  union {
    T value_;
  };
  bool held_ = true;
};

template <class T>
class Outgoing<T, false, true> {
 public:
  template <class U>
  explicit Outgoing(U&& v) : value_(std::forward<U>(v)) {}

  void* raw() { return std::addressof(value_); }
  void SetSent() {}

 private:
  T value_;
};

template <class T>
class Outgoing<T, true, false> {
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
  T& value() { return static_cast<Box<T>*>(box_)->value; }
  void SetSent() { box_ = nullptr; }

 private:
  BoxBase* box_ = nullptr;
};

}  // namespace rt
}  // namespace gort

#endif  // GORT_CHAN_INTERNAL_ELEMENT_H_
