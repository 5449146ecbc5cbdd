// gort/chan/chan.h: channels.
// What      Chan<T> is a shared handle to a channel of T, as cheap to copy as a std::shared_ptr;
//           Chan<T>{} is the nil channel, on which sends and receives block for ever. SendChan<T>
//           and RecvChan<T> are views that only send or only receive. select.h waits on several.
// Layer     7.                                        Go: chan.go
// Elements  Any movable type of any size. Trivially copyable types, std::unique_ptr, shared_ptr,
//           weak_ptr, vector, handles of channels, and what a program names kRelocatable are
//           carried in the channel itself, up to 1 KiB, without an allocation. Any other type is
//           carried on the heap. Constructors, assignments and destructors of elements run without
//           a lock, and may wait. What a copy or move throws leaves the channel as it was, with the
//           value where it was (chan/internal/element.h).
// Lifetime  The channel lives until its last handle goes; elements that nobody received are then
//           destroyed. A goroutine that waits on a channel does so through a handle, which must
//           stay until the call returns.
// Threads   A channel may be used from any number of goroutines and threads; a handle is an
//           ordinary object, like a std::shared_ptr.
// Memory    What happens before a send happens before the end of the receive that gets the element;
//           what happens before a close, before the end of a receive that sees it; and the n-th
//           receive from a channel of capacity c happens before the (n+c)-th send ends.
// Contract  | call             | goroutine | other thread | parks         | allocates         |
//           | Send, Recv       |     x     | blocks it    | x             | boxed types       |
//           | TrySend, TryRecv |     x     |      x       | -             | boxed types       |
//           | Close, Len, Cap  |     x     |      x       | -             | -                 |
#ifndef GORT_CHAN_CHAN_H_
#define GORT_CHAN_CHAN_H_

#include <cstddef>
#include <iterator>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>

#include "gort/base/panic.h"
#include "gort/chan/internal/element.h"
#include "gort/chan/internal/handle.h"
#include "gort/chan/internal/hchan.h"
#include "gort/chan/internal/lent.h"
#include "gort/chan/internal/until_done.h"

namespace gort {

// The element of channels that carry no data, only events. Go: struct{}
struct Unit {
  friend constexpr bool operator==(Unit, Unit) { return true; }
};

enum class RecvState { kValue, kEmpty, kClosed };
enum class SendState { kSent, kFull, kClosed };

template <class T>
class Chan;
template <class T>
class SendChan;
template <class T>
class RecvChan;
template <class T>
Chan<T> MakeChan(size_t capacity = 0);

namespace rt {

// The sending half of the interface, for a handle class D.
template <class D, class T>
class SendOps {
 public:
  // Returns once the element is in the buffer or with a receiver. Throws Panic("send on closed
  // channel"), also when it is closed while this waits. Nil: blocks for ever. Go: c <- v
  void Send(T v) const requires(kSendByValue<T>) {
    ChanSendAndWait<kWaitSize<T>>(chan(), std::addressof(v));
  }
  // These take what is not plain bytes. A copy or move that throws does so before the send, and v
  // stays with the caller. After Panic an rvalue v may have been moved from; TrySend leaves it alone.
  void Send(T&& v) const requires(!kSendByValue<T>) { SendFrom(std::move(v)); }
  void Send(const T& v) const requires(!kSendByValue<T> && std::is_copy_constructible_v<T>) {
    SendFrom(v);
  }

  // The same, but gives up when ctx, a Context, is cancelled: returns ctx.Err(), and v has its value
  // still. Ok: it was sent. A ctx that is cancelled already comes first, before a channel that has
  // room and before Panic. No goroutine, no allocation; Background() costs nothing. Nil: waits for
  // ctx. A T that can only be moved, and whose move may throw, is moved back when ctx ends the wait:
  // what that throws leaves this call. Returns absl::Status. Include gort/context/context.h.
  template <class C = Context>
  typename Ends<C>::Status Send(const std::type_identity_t<C>& ctx, T&& v) const {
    HChan* done = Ends<C>::Done(ctx);
    if (done == nullptr) {
      Send(std::move(v));
      return {};
    }
    if (ChanClosed(done)) return ctx.Err();
    Lent<T> lent(std::addressof(v));
    const bool sent = ChanSendUntilDone(chan(), lent.raw(), done);
    if (sent) lent.SetSent();
    lent.GiveBack();
    return sent ? typename Ends<C>::Status() : ctx.Err();
  }
  template <class C = Context>
  typename Ends<C>::Status Send(const std::type_identity_t<C>& ctx,
                                const T& v) const requires std::is_copy_constructible_v<T> {
    HChan* done = Ends<C>::Done(ctx);
    if (done == nullptr) {
      Send(v);
      return {};
    }
    if (ChanClosed(done)) return ctx.Err();
    Outgoing<T> out(v);
    if (!ChanSendUntilDone(chan(), out.raw(), done)) return ctx.Err();
    out.SetSent();
    return {};
  }

  // Sends if that is possible now; false: it would block, and v has its value still. Throws Panic
  // as Send does, and v has its value then, too. Nil: false. While the move of a boxed type runs a
  // place in the channel is reserved for it, which others find taken; if the channel is closed
  // meanwhile v is moved back.
  bool TrySend(T&& v) const { return SentOrPanic(Try(std::move(v))); }
  bool TrySend(const T& v) const requires std::is_copy_constructible_v<T> {
    return SentOrPanic(Try(v));
  }
  // The same, for callers that expect to find the channel closed: kClosed instead of Panic.
  SendState TrySendState(T&& v) const { return StateOf(Try(std::move(v))); }
  SendState TrySendState(const T& v) const requires std::is_copy_constructible_v<T> {
    return StateOf(Try(v));
  }

  // No more sends; receivers get what is in the buffer and then see the end; everybody who waits
  // is woken. Throws Panic("close of closed channel"), Panic("close of nil channel"). Go: close
  void Close() const { CloseChan(chan()); }

 private:
  HChan* chan() const { return static_cast<const D*>(this)->hchan(); }

  Attempt Try(T&& v) const {
    if constexpr (kElemBoxed<T>) {
      return TrySendBoxed(chan(), v);
    } else if constexpr (!kElemBytes<T>) {
      return TrySendRelocated(chan(), v);
    } else {
      return ChanTrySend(chan(), std::addressof(v));
    }
  }
  Attempt Try(const T& v) const {
    HChan* c = chan();
    if (c == nullptr || ChanSendWouldBlock(c)) return Attempt::kWouldBlock;
    Outgoing<T> out(v);
    const Attempt attempt = ChanTrySend(c, out.raw());
    if (attempt == Attempt::kDone) out.SetSent();
    return attempt;
  }
  static bool SentOrPanic(Attempt attempt) {
    if (attempt == Attempt::kDone) return true;
    if (attempt == Attempt::kClosed) PanicSendOnClosed();
    PollFailed();
    return false;
  }
  static SendState StateOf(Attempt attempt) {
    if (attempt == Attempt::kDone) return SendState::kSent;
    PollFailed();
    return attempt == Attempt::kClosed ? SendState::kClosed : SendState::kFull;
  }

  template <class U>
  void SendFrom(U&& v) const {
    HChan* c = chan();
    Outgoing<T> out(std::forward<U>(v));
    ChanSendAndWait<kWaitSize<T>>(c, out.raw());
    out.SetSent();
  }
};

// The receiving half.
template <class D, class T>
class RecvOps {
 public:
  // The next element, or nullopt when the channel is closed and drained. Nil: blocks for ever.
  // Go: v, ok := <-c
  std::optional<T> Recv() const {
    HChan* c = chan();
    std::optional<T> v;
    Incoming<T> in;
    if (ChanRecvAndWait<kWaitSize<T>>(c, in.raw())) {
      in.SetFull();
      in.Take(c, &v);
    }
    Opaque(&v);
    return v;
  }

  // The same, but gives up when ctx, a Context, is cancelled: returns ctx.Err(), and received nothing.
  // Ok: the next element, or nullopt. A ctx that is cancelled already comes first, before what waits
  // in the channel. No goroutine, no allocation; Background() costs nothing. Nil: waits for ctx.
  // Returns absl::StatusOr<std::optional<T>>. Include gort/context/context.h.
  template <class C = Context>
  typename Ends<C>::template StatusOr<std::optional<T>> Recv(
      const std::type_identity_t<C>& ctx) const {
    HChan* c = chan();
    HChan* done = Ends<C>::Done(ctx);
    typename Ends<C>::template StatusOr<std::optional<T>> got = std::optional<T>();
    Incoming<T> in;
    const RecvResult result = done != nullptr ? ChanRecvUntilDone(c, in.raw(), done)
                              : ChanRecvAndWait<kWaitSize<T>>(c, in.raw()) ? RecvResult::kReceived
                                                                           : RecvResult::kClosed;
    if (result == RecvResult::kReceived) {
      in.SetFull();
      in.Take(c, &*got);
    } else if (result == RecvResult::kWouldBlock) {
      got = ctx.Err();
    }
    Opaque(&got);
    return got;
  }

  // Receives if that is possible now. kValue: *out was assigned the element; otherwise *out is as
  // it was. out may be null: the element is dropped. Nil: kEmpty. A T without assignment is
  // destroyed and made anew in its place; if making it throws then, std::terminate is called.
  RecvState TryRecv(T* out) const {
    HChan* c = chan();
    Incoming<T> in;
    switch (ChanRecv(c, in.raw(), /*block=*/false)) {
      case RecvResult::kClosed:
        return RecvState::kClosed;
      case RecvResult::kWouldBlock:
        PollFailed();
        return RecvState::kEmpty;
      case RecvResult::kReceived:
        break;
    }
    in.SetFull();
    if (out != nullptr) in.TakeInto(c, out);
    return RecvState::kValue;
  }

  // Receives one element at a time, when it is first looked at: `ch | std::views::take(3)` receives
  // three, and leaves the fourth. *it is an rvalue, so that `for (T v : ch)` moves: T&&, or, when the
  // move may throw, a T, so that a move that throws gives the element back to the channel; such a
  // *it works once, so that channels of those are no ranges of <ranges>. An element larger than
  // 1 KiB is always a T&&: its loop may do with a reference, and needs no room for it in its frame.
  class Iterator {
    static constexpr bool kReference =
        std::is_nothrow_move_constructible_v<T> || sizeof(T) > kMaxCarried;

   public:
    using iterator_concept = std::input_iterator_tag;
    using difference_type = std::ptrdiff_t;
    using value_type = std::conditional_t<kReference, T, void>;

    explicit Iterator(HChan* c) : c_(c) {}
    decltype(auto) operator*() const {
      Receive();
      if constexpr (kReference) {
        return std::move(in_.value());
      } else {
        return in_.Take(c_);
      }
    }
    Iterator& operator++() {
      Receive();
      in_.Reset();
      if (state_ == kHere) state_ = kAhead;
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) {
      it.Receive();
      return it.state_ == kEnd;
    }

   private:
    enum State : unsigned char { kAhead, kHere, kEnd };

    void Receive() const {
      if (state_ != kAhead) return;
      const bool received = ChanRecvAndWait<kWaitSize<T>>(c_, in_.raw());
      if (received) in_.SetFull();
      state_ = received ? kHere : kEnd;
    }

    HChan* c_;
    mutable Incoming<T> in_;
    mutable State state_ = kAhead;  // kAhead: the element is still to be received
  };
  // for (T v : ch): until closed and drained. Go: range
  Iterator begin() const { return Iterator(chan()); }
  std::default_sentinel_t end() const { return std::default_sentinel; }

 private:
  HChan* chan() const { return static_cast<const D*>(this)->hchan(); }
};

}  // namespace rt

template <class T>
inline constexpr bool kRelocatable<Chan<T>> = true;
template <class T>
inline constexpr bool kRelocatable<SendChan<T>> = true;
template <class T>
inline constexpr bool kRelocatable<RecvChan<T>> = true;

template <class T>
class Chan : public rt::ChanHandle, public rt::SendOps<Chan<T>, T>, public rt::RecvOps<Chan<T>, T> {
  static_assert(std::is_object_v<T> && std::is_same_v<T, std::remove_cv_t<T>>,
                "a channel carries objects; use a pointer for anything else");

 public:
  using value_type = T;

  constexpr Chan() = default;
  constexpr Chan(std::nullptr_t) {}  // NOLINT: nil

  // Two handles are equal when they are of the same channel, or both nil.
  friend bool operator==(const Chan& a, const Chan& b) { return a.hchan() == b.hchan(); }

 private:
  explicit Chan(rt::HChan* adopted) : ChanHandle(adopted) {}
  template <class U>
  friend Chan<U> MakeChan(size_t capacity);
};

// The sending end of a channel.
template <class T>
class SendChan : public rt::ChanHandle, public rt::SendOps<SendChan<T>, T> {
 public:
  using value_type = T;

  constexpr SendChan() = default;
  constexpr SendChan(std::nullptr_t) {}              // NOLINT: nil
  SendChan(Chan<T> c) : ChanHandle(std::move(c)) {}  // NOLINT: as in Go
  friend bool operator==(const SendChan& a, const SendChan& b) { return a.hchan() == b.hchan(); }
};

// The receiving end of a channel.
template <class T>
class RecvChan : public rt::ChanHandle, public rt::RecvOps<RecvChan<T>, T> {
 public:
  using value_type = T;

  constexpr RecvChan() = default;
  constexpr RecvChan(std::nullptr_t) {}              // NOLINT: nil
  RecvChan(Chan<T> c) : ChanHandle(std::move(c)) {}  // NOLINT: as in Go
  friend bool operator==(const RecvChan& a, const RecvChan& b) { return a.hchan() == b.hchan(); }
};

// A new channel with room for `capacity` elements; 0: every send waits for its receive. Throws
// Panic("makechan: size out of range") for a capacity that no memory can hold. Go: make
template <class T>
Chan<T> MakeChan(size_t capacity) {
  static_assert(std::is_move_constructible_v<T>, "elements are moved into the channel");
  return Chan<T>(rt::MakeHChan(&rt::kElemType<T>, capacity));
}

}  // namespace gort

// A handle is its own view, and a view keeps the channel: `return ch | std::views::take(3);`.
template <class T>
inline constexpr bool std::ranges::enable_view<gort::Chan<T>> = true;
template <class T>
inline constexpr bool std::ranges::enable_view<gort::RecvChan<T>> = true;

#endif  // GORT_CHAN_CHAN_H_
