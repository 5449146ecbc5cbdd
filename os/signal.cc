#include "gort/os/signal.h"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "gort/base/panic.h"
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/os/internal/incoming.h"
#include "gort/os/internal/signal_name.h"
#include "gort/preempt/preempt.h"
#include "gort/proc/go.h"
#include "gort/sync/mutex.h"

namespace gort {

// What a SignalContext and the goroutine that cancels it have in common.
struct rt::SignalEnd {
  CancelCauseFunc cancel;
  std::atomic<int> came{0};
};

namespace os {

using rt::SignalBit;
using rt::SignalBits;
using rt::SignalName;

namespace {

constexpr int kMostSignal = 64;

// Why nobody may wait for sig; null: everybody may.
const char* Refusal(int sig) {
  if (sig < 1 || sig > kMostSignal) return "is no signal";
  if (sig == SIGKILL || sig == SIGSTOP) return "cannot be caught";
  if (sig >= __SIGRTMIN && sig < SIGRTMIN) return "belongs to the C library";
  if (sig == rt::PreemptSignal()) return "is the one by which gort pre-empts";
  switch (sig) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGABRT:
      return "says that the program is broken, which nobody can wait for";
    default:
      return nullptr;
  }
}

SignalBits BitsOf(std::initializer_list<int> signals) {
  if (signals.size() == 0) throw Panic("os: Notify of no signal");
  SignalBits bits = 0;
  for (int sig : signals) {
    if (const char* why = Refusal(sig)) throw Panic("os: Notify: " + SignalName(sig) + ' ' + why);
    bits |= SignalBit(sig);
  }
  return bits;
}

// Calls f for each signal of the set, the lowest number first.
template <class F>
void ForEach(SignalBits bits, F f) {
  for (; bits != 0; bits &= bits - 1) f(__builtin_ctzll(bits) + 1);
}

// Who waits for signals: either somebody at a channel, or a SignalContext.
struct Subscriber {
  SignalBits bits = 0;
  Chan<int> channel;  // nil: a context's
  std::shared_ptr<rt::SignalEnd> end;
};

// A context that a signal ends.
struct Ending {
  std::shared_ptr<rt::SignalEnd> end;
  int sig;
};

// All subscribers of the process, and the goroutine that serves them as long as there are any.
class Subscribers {
 public:
  void Add(Subscriber subscriber);
  // Removes the subscribers for which leaving(subscriber) is true. Signals that came before are
  // delivered to them.
  template <class F>
  void Remove(F leaving);

 private:
  using List = std::vector<Subscriber>;

  void Start() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Drop(SignalBits bits) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Deliver(SignalBits came, std::vector<Ending>* ends) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool Serve(rt::PollDesc* pd);
  void Work(rt::PollDesc* pd);
  static void End(const std::vector<Ending>& ends);

  gort::Mutex mu_;
  List list_ ABSL_GUARDED_BY(mu_);
  bool running_ ABSL_GUARDED_BY(mu_) = false;
};

Subscribers& All() {
  static auto* const all = new Subscribers;  // its goroutine may outlive main
  return *all;
}

class ABSL_SCOPED_LOCKABLE Locked {
 public:
  explicit Locked(gort::Mutex* mu) ABSL_EXCLUSIVE_LOCK_FUNCTION(mu) : mu_(mu) { mu_->Lock(); }
  ~Locked() ABSL_UNLOCK_FUNCTION() { mu_->Unlock(); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  gort::Mutex* const mu_;
};

void Subscribers::Start() {
  if (running_) return;
  rt::PollDesc* pd = rt::OpenIncoming();
  if (pd == nullptr) throw Panic("os: Notify before the runtime has started; call gort::Run first");
  rt::GoSystem([this, pd] { Work(pd); });
  running_ = true;
}

void Subscribers::Add(Subscriber subscriber) {
  Locked l(&mu_);
  Start();
  const SignalBits bits = subscriber.bits;
  list_.push_back(std::move(subscriber));
  ForEach(bits, [](int sig) {
    if (!rt::Want(sig)) rt::Throw("os: a signal cannot be caught");
  });
}

// Gives back those signals of a former subscriber that nobody else waits for.
void Subscribers::Drop(SignalBits bits) {
  for (const Subscriber& other : list_) bits &= ~other.bits;
  ForEach(bits, [](int sig) { rt::Unwant(sig); });
}

template <class F>
void Subscribers::Remove(F leaving) {
  std::vector<Ending> ends;
  {
    Locked l(&mu_);
    const auto at = std::find_if(list_.begin(), list_.end(), leaving);
    if (at == list_.end()) return;
    // It still hears of what came before its signals were given back, and of nothing after that.
    const SignalBits bits = std::exchange(at->bits, 0);
    Drop(bits);
    at->bits = bits;
    Deliver(rt::TakeIncoming(nullptr), &ends);
    if (at->channel) at->channel.Close();
    list_.erase(at);
    if (list_.empty()) rt::WakeIncoming();  // the goroutine is not needed any more
  }
  End(ends);
}

void Subscribers::Deliver(SignalBits came, std::vector<Ending>* ends) {
  ForEach(came, [&](int sig) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    for (const Subscriber& s : list_) {
      if ((s.bits & SignalBit(sig)) == 0) continue;
      if (s.channel) {
        s.channel.TrySend(sig);
      } else {
        ends->push_back(Ending{s.end, sig});
      }
    }
  });
}

// Without the lock: a cancellation may wait for another.
void Subscribers::End(const std::vector<Ending>& ends) {
  for (const Ending& e : ends) {
    int none = 0;
    if (!e.end->came.compare_exchange_strong(none, e.sig)) continue;
    e.end->cancel(absl::CancelledError("signal: " + SignalName(e.sig)));
  }
}

// False: there is nobody left to serve.
bool Subscribers::Serve(rt::PollDesc* pd) {
  std::vector<Ending> ends;
  {
    Locked l(&mu_);
    Deliver(rt::TakeIncoming(pd), &ends);
    if (list_.empty()) {
      // Under the lock: the next Notify opens it anew.
      rt::PollUnblock(pd);
      rt::PollClose(pd);
      running_ = false;
      return false;
    }
  }
  End(ends);
  return true;
}

void Subscribers::Work(rt::PollDesc* pd) {
  // The subscriber that it was started for may live in virtual time; signals do not.
  rt::Getg()->bubble.store(nullptr, std::memory_order_relaxed);
  while (Serve(pd)) rt::WaitIncoming(pd);
}

}  // namespace

RecvChan<int> Notify(std::initializer_list<int> signals) {
  Subscriber subscriber;
  subscriber.bits = BitsOf(signals);
  subscriber.channel = MakeChan<int>(kSignalCapacity);
  RecvChan<int> channel(subscriber.channel);
  All().Add(std::move(subscriber));
  return channel;
}

void Stop(RecvChan<int> signals) {
  if (!signals) return;
  All().Remove([&](const Subscriber& s) { return RecvChan<int>(s.channel) == signals; });
}

SignalContext::SignalContext(const Context& parent, std::initializer_list<int> signals)
    : end_(std::make_shared<rt::SignalEnd>()) {
  Subscriber subscriber;
  subscriber.bits = BitsOf(signals);
  subscriber.end = end_;
  std::tie(context_, end_->cancel) = WithCancelCause(parent);
  All().Add(std::move(subscriber));
}

SignalContext::~SignalContext() {
  Stop();
  end_->cancel(absl::OkStatus());
}

int SignalContext::signal() const { return end_->came.load(); }

void SignalContext::Stop() {
  All().Remove([&](const Subscriber& s) { return s.end == end_; });
}

}  // namespace os
}  // namespace gort
