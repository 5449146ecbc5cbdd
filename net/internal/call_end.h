// net/internal/call_end.h: a context that ends one wait of a call.
// What      CallEnd waits for a poll descriptor as PollWait does, and lets the end of a context end
//           the wait of this call alone: later calls find the descriptor as good as new.
// Layer     11, used by net only.
// Cost      a call that does not wait looks at its context once. The context is watched from the
//           first wait on, without memory: the watch is in this object.
// Contract  the caller has this direction of the descriptor for itself while the object lives.
#ifndef GORT_NET_INTERNAL_CALL_END_H_
#define GORT_NET_INTERNAL_CALL_END_H_

#include <cstdint>

#include "gort/base/attributes.h"
#include "gort/context/context.h"
#include "gort/context/internal/watch.h"
#include "gort/netpoll/internal/poll_desc.h"
#include "gort/netpoll/internal/poller.h"

namespace gort::rt {

class CallEnd : private ContextWatch {
 public:
  // ctx may be null: nothing ends the call but what ends a PollWait. Both outlive this object.
  CallEnd(const Context* ctx, PollDesc* pd, uint32_t mode)
      : ContextWatch(&Cancel), ctx_(ctx), pd_(pd), mode_(mode) {}
  ~CallEnd() {
    if (GORT_UNLIKELY(watching_)) Leave();
  }
  CallEnd(const CallEnd&) = delete;
  CallEnd& operator=(const CallEnd&) = delete;

  // The context is over.
  bool Ended() const { return GORT_UNLIKELY(ctx_ != nullptr) && !ctx_->Err().ok(); }
  // kCancelled: by the context, or by a PollCancel of somebody else's.
  PollResult Wait() {
    if (GORT_UNLIKELY(ctx_ != nullptr) && !Watch()) return PollResult::kCancelled;
    return PollWait(pd_, mode_);
  }
  const Context* context() const { return ctx_; }
  uint32_t mode() const { return mode_; }

 private:
  static G* Cancel(ContextWatch* watch) {
    auto* self = static_cast<CallEnd*>(watch);
    return PollCancel(self->pd_, self->mode_);
  }
  bool Watch() {
    if (!watching_) watching_ = Begin(*ctx_);
    return watching_;
  }
  // After End no PollCancel is on its way.
  void Leave() {
    End();
    PollUncancel(pd_, mode_);
  }

  const Context* const ctx_;
  PollDesc* const pd_;
  const uint32_t mode_;
  bool watching_ = false;
};

}  // namespace gort::rt

#endif  // GORT_NET_INTERNAL_CALL_END_H_
