// context/context.cc: the tree of contexts and how a cancellation goes through it.
//
// References go up: a child keeps its parent, a parent lists its children without a reference. A
// child whose last reference goes takes itself off the list; a canceller that finds it there before
// that leaves it alone (TryRef). AfterFuncs are the exception: they are on the list to stay, so the
// list has a reference on them.
//
// Calls that wait (context/internal/watch.h) are on a list of their own, without a reference: they
// hold the context. Their functions run under the node's lock, so that a call cannot return, and its
// frame go, in the middle of one.
//
// A cancellation marks a node and takes its list of children in one critical section, closes the
// node's channel outside of it, and goes on with the children, as a work list through the nodes
// themselves: nothing is allocated, nothing is recursive, and no lock is held while that of another
// node is taken or a goroutine is woken. A node goes through
//
//   | to state   | when                                                             |
//   | kLive      | it is made                                                       |
//   | kCancelled | the lock is held; err and cause are there from now on            |
//   | kClosed    | its channel is closed                                            |
//   | kSettled   | the whole cancellation that marked it is over                    |
//
// Err() waits for kClosed, so that a caller that sees an error finds the channel closed. A second
// call of a CancelFunc waits for kSettled. A cancellation does so too when it comes upon a node
// that another cancellation, begun further down, has marked. So everything below is cancelled when
// either returns. Cancellations cannot wait for each other in a circle: each takes the children in
// the step that marks their parent, so it waits for cancellations that began below it in the tree,
// and for no others.
//
// Rejected  Go's way, a mutex per context held while its children are cancelled: it needs a lock
//           that parks, which stands above this package, and its depth of recursion is the tree's.
//           Asking all ancestors in Err(): exact as well, but a loop of as many steps as the depth
//           in the call that programs make most.
#include "gort/context/context.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gort/base/list.h"
#include "gort/context/internal/watch.h"
#include "gort/context/stop_token.h"
#include "gort/gmp/g.h"
#include "gort/gmp/glist.h"
#include "gort/gmp/sudog.h"
#include "gort/gmp/wait_reason.h"
#include "gort/lock/mutex.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/timer/sleep.h"
#include "gort/timer/timer.h"

namespace gort {
namespace rt {

namespace {

enum CancelState : uint32_t { kLive, kCancelled, kClosed, kSettled };

}  // namespace

struct CancelNode final : ContextNode, ListNode<CancelNode> {
  CancelNode(ContextNode* parent_ref, CancelNode* nearest, Chan<Unit> done_chan,
             std::optional<absl::Time> latest)
      : ContextNode(parent_ref, this), up(nearest), done(std::move(done_chan)), deadline(latest) {}
  ~CancelNode() override;

  CancelNode* const up;  // the nearest above that can be cancelled; null: none
  const Chan<Unit> done;
  const std::optional<absl::Time> deadline;

  std::atomic<uint32_t> state{kLive};  // written by the cancellation that marks it
  absl::Status err;                    // written once, before state leaves kLive
  absl::Status cause;                  // likewise

  rt::Mutex lock{LockRank::kContext};
  List<CancelNode> children ABSL_GUARDED_BY(lock);
  List<ContextWatch> watches ABSL_GUARDED_BY(lock);          // calls that wait
  TimerRef timer ABSL_GUARDED_BY(lock);                      // null: none
  std::unique_ptr<ContextCallback> f ABSL_GUARDED_BY(lock);  // of an AfterFunc, until it is taken
  std::stop_source stop ABSL_GUARDED_BY(lock){std::nostopstate};  // of StopToken, until it is taken
  Sudog* waiters ABSL_GUARDED_BY(lock) = nullptr;                 // for kSettled

  bool list_owns = false;  // guarded by up->lock: the list has a reference, of an AfterFunc

  // Used by the cancellation that took this node off its parent's list.
  CancelNode* work_next = nullptr;
  bool work_mine = false;  // marked by this cancellation, not by another
};

namespace {

CancelNode* CancellerOf(const ContextNode* n) { return n != nullptr ? n->canceller : nullptr; }

bool TryRef(ContextNode* n) {
  int64_t refs = n->refs.load(std::memory_order_relaxed);
  // relaxed: the list's lock orders this against the node's own removal.
  while (refs != 0 && !n->refs.compare_exchange_weak(refs, refs + 1, std::memory_order_relaxed)) {
  }
  return refs != 0;
}

// Takes n off its parent's list, with the list's reference if there is one.
void Unlist(CancelNode* n) {
  if (n->up == nullptr) return;
  bool owned = false;
  {
    LockGuard l(&n->up->lock);
    if (!n->up->children.IsIn(n)) return;
    n->up->children.Remove(n);
    owned = std::exchange(n->list_owns, false);
  }
  if (owned) ContextUnref(n);
}

// Returns when the cancellation that n is part of is over.
void WaitSettled(CancelNode* n) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (n->state.load(std::memory_order_acquire) == kSettled) return;  // pairs with: Settle
  G* gp = CurrentG();
  n->lock.Lock();
  if (n->state.load(std::memory_order_relaxed) == kSettled) {  // written under lock
    n->lock.Unlock();
    return;
  }
  Sudog s;  // who takes it off the list is done with it when it readies gp
  s.g = gp;
  s.next = n->waiters;
  n->waiters = &s;
  GoParkUnlock(&n->lock, WaitReason::kSemAcquire);
}

void Settle(CancelNode* n) {
  GQueue woken;
  {
    LockGuard l(&n->lock);
    n->state.store(kSettled, std::memory_order_release);  // pairs with: WaitSettled
    for (Sudog* s = std::exchange(n->waiters, nullptr); s != nullptr; s = s->next) {
      woken.PushBack(s->g);
    }
  }
  while (G* gp = woken.Pop()) GoReady(gp);
}

// Takes one call that waits off n and off what it waits on. False: there is none.
bool EndOneWait(CancelNode* n) {
  G* gp;
  {
    LockGuard l(&n->lock);
    ContextWatch* w = n->watches.PopFront();
    if (w == nullptr) return false;
    gp = w->cancelled(w);  // under the lock, so that w stays: ContextWatch::End takes it too
  }
  if (gp != nullptr) GoReady(gp);
  return true;
}

// Nodes to be cancelled, each with a reference.
struct WorkList {
  CancelNode* first = nullptr;
  CancelNode** last = &first;
  void Push(CancelNode* n) {
    *last = n;
    last = &n->work_next;
  }
};

// Wired to its thread, by which a std::stop_callback knows that it is destroyed by itself.
void RequestStop(std::stop_source stop) {
  LockOSThread();
  stop.request_stop();
  UnlockOSThread();
}

// Cancels n itself and moves its children to *work. False: another cancellation marked n first.
bool Mark(CancelNode* n, const absl::Status& err, const absl::Status& cause, WorkList* work) {
  TimerRef timer;
  std::unique_ptr<ContextCallback> f;
  std::stop_source stop(std::nostopstate);
  {
    LockGuard l(&n->lock);
    if (n->state.load(std::memory_order_relaxed) != kLive) return false;  // written under lock
    n->err = err;
    n->cause = cause;
    n->state.store(kCancelled, std::memory_order_release);  // pairs with: Err, Cause
    std::swap(timer, n->timer);
    f = std::move(n->f);
    stop.swap(n->stop);
    while (CancelNode* c = n->children.PopFront()) {
      if (std::exchange(c->list_owns, false) || TryRef(c)) work->Push(c);
    }
  }
  if (n->done) n->done.Close();
  n->state.store(kClosed, std::memory_order_release);  // pairs with: Err
  while (EndOneWait(n)) {
  }
  if (f != nullptr) Go([call = std::move(f)] { call->Run(); });
  if (stop.stop_possible()) Go(&RequestStop, std::move(stop));
  // The caller may be that timer's callback; it has a reference on n, as every caller has.
  if (timer.get() != nullptr) StopTimer(timer.get());
  return true;
}

// Cancels n and everything below. The caller has a reference on n.
void Cancel(CancelNode* n, const absl::Status& err, const absl::Status& cause) {
  WorkList work;
  if (!Mark(n, err, cause, &work)) return WaitSettled(n);
  for (CancelNode* c = work.first; c != nullptr; c = c->work_next) {
    c->work_mine = Mark(c, err, cause, &work);
  }
  for (CancelNode* c = work.first; c != nullptr; c = c->work_next) {
    if (!c->work_mine) WaitSettled(c);
  }
  // By now every channel is closed, those of nodes that other cancellations marked included.
  for (CancelNode* c = work.first; c != nullptr; c = c->work_next) {
    if (c->work_mine) Settle(c);
  }
  Settle(n);
  Unlist(n);  // not earlier: until now a cancellation of the parent must find n, and wait
  // Last: this may destroy objects of the program, which may cancel n in their turn.
  for (CancelNode* c = work.first; c != nullptr;) ContextUnref(std::exchange(c, c->work_next));
}

// Made with the first context: a cancellation then takes no memory, which the end of a CancelScope
// may not find.
const absl::Status& ErrCancelled() {
  static const auto* const status = new absl::Status(absl::CancelledError("context canceled"));
  return *status;
}
absl::Status ErrDeadline() { return absl::DeadlineExceededError("context deadline exceeded"); }

// Puts a new node below its canceller, or cancels it with that.
void Attach(CancelNode* n) {
  CancelNode* up = n->up;
  if (up == nullptr) return;
  {
    LockGuard l(&up->lock);
    if (up->state.load(std::memory_order_relaxed) == kLive) {  // written under lock
      if (n->list_owns) ContextRef(n);
      up->children.PushFront(n);
      return;
    }
  }
  n->list_owns = false;
  Cancel(n, up->err, up->cause);
}

ContextHandle NewNode(const Context& parent, std::optional<absl::Time> deadline) {
  CurrentG();  // in case a foreign thread is the first to call
  static_cast<void>(ErrCancelled());
  ContextHandle up = parent.handle();
  auto* n = new CancelNode(up.get(), CancellerOf(up.get()), MakeChan<Unit>(), std::move(deadline));
  up.Release();
  ContextHandle h(n);
  Attach(n);
  return h;
}

CancelNode* NodeOf(const ContextHandle& h) { return static_cast<CancelNode*>(h.get()); }

// What the timer of a deadline does. It keeps the node, which keeps the timer.
struct Expiry final : TimerCallback {
  Expiry(ContextHandle node, absl::Status why) : h(std::move(node)), cause(std::move(why)) {}
  void Run() override { Cancel(NodeOf(h), ErrDeadline(), cause); }
  void Drop() override { h = ContextHandle(); }
  ContextHandle h;
  absl::Status cause;
};

}  // namespace

CancelNode::~CancelNode() { Unlist(this); }

void ContextRef(ContextNode* n) {
  // The caller has a reference, so the count cannot be 0 here: no order needed.
  if (n != nullptr) n->refs.fetch_add(1, std::memory_order_relaxed);
}

void ContextUnref(ContextNode* n) {
  // A loop, not a recursion: chains may be long. acq_rel pairs with itself: all uses by other
  // owners happen before the last one destroys.
  while (n != nullptr && n->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    ContextNode* parent = n->parent;
    delete n;
    n = parent;
  }
}

const void* ContextValue(const ContextNode* n, const void* key) {
  for (; n != nullptr; n = n->parent) {
    if (n->key == key) return n->value;
  }
  return nullptr;
}

HChan* ContextDone(const ContextNode* n) {
  const CancelNode* can = CancellerOf(n);
  return can != nullptr ? can->done.hchan() : nullptr;
}

ContextHandle NewCancelNode(const Context& parent) { return NewNode(parent, parent.Deadline()); }

ContextHandle NewDeadlineNode(const Context& parent, absl::Time deadline, absl::Duration left,
                              const absl::Status& cause) {
  const std::optional<absl::Time> inherited = parent.Deadline();
  if (deadline == absl::InfiniteFuture() || (inherited.has_value() && *inherited <= deadline)) {
    return NewCancelNode(parent);
  }
  ContextHandle h = NewNode(parent, deadline);
  CancelNode* n = NodeOf(h);
  if (left <= absl::ZeroDuration()) {
    Cancel(n, ErrDeadline(), cause);
    return h;
  }
  TimerRef timer = NewFuncTimer<Expiry>(SaturatedNanoseconds(left), h, cause);
  bool live;
  {
    LockGuard l(&n->lock);
    live = n->state.load(std::memory_order_relaxed) == kLive;  // written under lock
    if (live) std::swap(n->timer, timer);
  }
  if (!live) StopTimer(timer.get());
  return h;
}

ContextHandle NewAfterFunc(const Context& parent,
                           std::unique_ptr<ContextCallback> f) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  CurrentG();
  ContextHandle up = parent.handle();
  auto* n = new CancelNode(up.get(), CancellerOf(up.get()), Chan<Unit>(), std::nullopt);
  up.Release();
  ContextHandle h(n);
  n->f = std::move(f);  // nobody else knows n yet
  n->list_owns = n->up != nullptr;
  Attach(n);
  return h;
}

bool StopAfterFunc(ContextNode* node) {
  if (node == nullptr) return false;
  auto* n = static_cast<CancelNode*>(node);
  std::unique_ptr<ContextCallback> f;
  {
    LockGuard l(&n->lock);
    f = std::move(n->f);
  }
  if (f == nullptr) return false;
  Unlist(n);
  return true;
}

bool ContextWatch::Begin(const Context& ctx) {
  node = CancellerOf(ctx.handle().get());
  if (node == nullptr) return true;
  LockGuard l(&node->lock);
  if (node->state.load(std::memory_order_relaxed) != kLive) return false;  // written under lock
  node->watches.PushFront(this);
  return true;
}

void ContextWatch::End() {
  if (node == nullptr) return;
  LockGuard l(&node->lock);
  if (node->watches.IsIn(this)) node->watches.Remove(this);
}

void CancelContext(ContextNode* n, const absl::Status& cause) {
  if (n != nullptr) Cancel(static_cast<CancelNode*>(n), ErrCancelled(), cause);
}

}  // namespace rt

RecvChan<Unit> Context::Done() const {
  rt::CancelNode* n = rt::CancellerOf(h_.get());
  return n != nullptr ? RecvChan<Unit>(n->done) : RecvChan<Unit>();
}

absl::Status Context::Err() const {
  rt::CancelNode* n = rt::CancellerOf(h_.get());
  if (n == nullptr) return absl::OkStatus();
  const uint32_t state = n->state.load(std::memory_order_acquire);  // pairs with: Mark
  if (state == rt::kLive) {
    rt::PreemptCheckInPlace();  // the caller may be polling in a loop
    return absl::OkStatus();
  }
  if (state == rt::kCancelled) n->done.Recv();  // closed already, or in a moment
  return n->err;
}

std::optional<absl::Time> Context::Deadline() const {
  rt::CancelNode* n = rt::CancellerOf(h_.get());
  return n != nullptr ? n->deadline : std::nullopt;
}

void CancelFunc::operator()() const { rt::CancelContext(h_.get(), absl::OkStatus()); }

void CancelCauseFunc::operator()(const absl::Status& cause) const {
  rt::CancelContext(h_.get(), cause);
}

bool StopFunc::operator()() const { return rt::StopAfterFunc(h_.get()); }

std::pair<Context, CancelFunc> WithCancel(const Context& parent) {
  rt::ContextHandle h = rt::NewCancelNode(parent);
  return {Context(h), CancelFunc(h)};
}

std::pair<Context, CancelCauseFunc> WithCancelCause(const Context& parent) {
  rt::ContextHandle h = rt::NewCancelNode(parent);
  return {Context(h), CancelCauseFunc(h)};
}

std::pair<Context, CancelFunc> WithDeadlineCause(const Context& parent, absl::Time deadline,
                                                 const absl::Status& cause) {
  rt::ContextHandle h = rt::NewDeadlineNode(parent, deadline, deadline - Now(), cause);
  return {Context(h), CancelFunc(h)};
}

std::pair<Context, CancelFunc> WithTimeoutCause(const Context& parent, absl::Duration d,
                                                const absl::Status& cause) {
  rt::ContextHandle h = rt::NewDeadlineNode(parent, Now() + d, d, cause);
  return {Context(h), CancelFunc(h)};
}

std::stop_token StopToken(const Context& ctx) {
  rt::CancelNode* n = rt::CancellerOf(ctx.handle().get());
  if (n == nullptr) return {};
  std::stop_source fresh;
  {
    rt::LockGuard l(&n->lock);
    if (n->state.load(std::memory_order_relaxed) == rt::kLive) {  // written under lock
      if (!n->stop.stop_possible()) n->stop.swap(fresh);
      return n->stop.get_token();
    }
  }
  fresh.request_stop();
  return fresh.get_token();
}

Context WithoutCancel(const Context& parent) {
  rt::ContextHandle up = parent.handle();
  if (up.get() == nullptr) return Context();
  auto* n = new rt::ContextNode(up.get(), nullptr);
  up.Release();
  return Context(rt::ContextHandle(n));
}

absl::Status Cause(const Context& ctx) {
  rt::CancelNode* n = rt::CancellerOf(ctx.handle().get());
  absl::Status err = ctx.Err();
  return err.ok() || n->cause.ok() ? err : n->cause;
}

}  // namespace gort
