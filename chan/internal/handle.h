// chan/internal/handle.h: the reference that every kind of handle on a channel is.
// Layer     7. Used by chan.h and the cases of select.
#ifndef GORT_CHAN_INTERNAL_HANDLE_H_
#define GORT_CHAN_INTERNAL_HANDLE_H_

#include <cstddef>
#include <utility>

#include "gort/chan/internal/hchan.h"

namespace gort::rt {

// A counted reference to an HChan, or null. What the three kinds of handle have in common.
class ChanHandle {
 public:
  constexpr ChanHandle() = default;
  ChanHandle(const ChanHandle& o) : c_(o.c_) { HChanRef(c_); }
  ChanHandle(ChanHandle&& o) noexcept : c_(std::exchange(o.c_, nullptr)) {}
  ChanHandle& operator=(ChanHandle o) noexcept {
    std::swap(c_, o.c_);
    return *this;
  }
  ~ChanHandle() { HChanUnref(c_); }

  // Elements in the buffer, a snapshot. 0 for the nil channel. For users.
  size_t Len() const { return ChanLen(c_); }
  // Elements that fit into the buffer. 0 for the nil channel. For users.
  size_t Cap() const { return ChanCap(c_); }
  // False: the nil channel.
  explicit operator bool() const { return c_ != nullptr; }

  // The runtime's object; for the packages of gort.
  HChan* hchan() const { return c_; }

 protected:
  explicit ChanHandle(HChan* adopted) : c_(adopted) {}

 private:
  HChan* c_ = nullptr;
};

}  // namespace gort::rt

#endif  // GORT_CHAN_INTERNAL_HANDLE_H_
