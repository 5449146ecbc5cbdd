#include "gort/context/stop_token.h"

#include "gort/proc/proc.h"

namespace gort {
namespace rt {
namespace {

// The goroutine stays on its thread meanwhile, by which std::stop_callback knows who calls it. A
// thread that is not of the runtime stays anyway.
class OnOneThread {
 public:
  OnOneThread() { LockOSThread(); }
  ~OnOneThread() { UnlockOSThread(); }
  OnOneThread(const OnOneThread&) = delete;
  OnOneThread& operator=(const OnOneThread&) = delete;
};

// Cancels a node, of which it has no reference: the StopNode that has the callback keeps the node,
// and does not go while the callback runs, except in it.
class CancelsNode {
 public:
  explicit CancelsNode(ContextNode* n) : n_(n) {}
  void operator()() const {
    OnOneThread wired;
    ContextRef(n_);
    const ContextHandle kept(n_);
    CancelContext(kept.get(), absl::OkStatus());
  }

 private:
  ContextNode* n_;
};

// Below the node that the token cancels; what is derived from the context is below this.
struct StopNode final : ContextNode, std::stop_callback<CancelsNode> {
  StopNode(ContextNode* up, const std::stop_token& token)
      : ContextNode(up, up->canceller), stop_callback(token, CancelsNode(up)) {}
};

}  // namespace
}  // namespace rt

Context WithStopToken(const Context& parent, const std::stop_token& token) {
  if (!token.stop_possible()) return parent;
  rt::ContextHandle up = rt::NewCancelNode(parent);
  auto* node = new rt::StopNode(up.get(), token);
  up.Release();  // the node's now
  return Context(rt::ContextHandle(node));
}

}  // namespace gort
