// timer/timer.cc: the timers that users see.
//
// Who keeps what alive. A UserTimer is the runtime's Timer plus a payload: the channel, or the
// function of an AfterFunc. The payload has users: every handle, the armed state, and every
// goroutine that runs the function. The last user destroys the payload, and is never the scheduler
// when the payload is the program's own code: handles and goroutines belong to the program, and
// when a timer is fired, its armed state's share goes to the goroutine that is started. What the
// heap may still hold then is an empty shell (Timer::refs), which anybody can free.
//
// No stale time. Stop and Reset of a timer with a channel, and its send, exclude each other by
// send_lock. The send compares Timer::seq with the one it was fired under; Stop and Reset change it
// and empty the channel. So whatever was fired before them is either taken out or not sent at all.
#include "gort/timer/timer.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "gort/base/attributes.h"
#include "gort/base/bits.h"
#include "gort/base/panic.h"
#include "gort/gmp/getg.h"
#include "gort/lock/mutex.h"
#include "gort/platforms/clock.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/timer/internal/timers.h"

namespace gort::rt {

struct UserTimer : Timer {
  UserTimer(Fire fire_fn, bool repeats) : Timer(fire_fn), ticker(repeats) {
    release = [](Timer* t) { delete static_cast<UserTimer*>(t); };
  }

  const bool ticker;
  std::atomic<int32_t> users{1};  // atomic; see the top of the file
  Chan<absl::Time> c;             // const until the last user goes; nil: an AfterFunc
  TimerCallback* f = nullptr;     // const until the last user goes; in the same block of memory
  size_t align = 0;               // const after init; of that block
  Mutex send_lock{LockRank::kTimerSend};
  uint32_t sent_seq ABSL_GUARDED_BY(send_lock) = 0;  // Timer::seq of the newest send
};

namespace {

void Use(UserTimer* t) {
  t->users.fetch_add(1, std::memory_order_relaxed);  // relaxed: the caller is a user
}

void Unuse(UserTimer* t) {
  // acquire and acq_rel: pair with the other users' decrements. 1: nobody else is there to add one.
  if (t->users.load(std::memory_order_acquire) != 1 &&
      t->users.fetch_sub(1, std::memory_order_acq_rel) != 1) {
    return;
  }
  if (t->f != nullptr) t->f->~TimerCallback();
  if (t->c) t->c = Chan<absl::Time>();
  TimerUnref(t);
}

// Sends the time at which the timer was due. The channel holds one: a tick that finds it full is
// dropped. Go: sendTime
G* FireChan(Timer* timer, uint32_t seq, int64_t due) {
  auto* t = static_cast<UserTimer*>(timer);
  const bool dropped = due == kTimerDropped;
  {
    LockGuard l(&t->send_lock);
    // Written under send_lock as well as under the heap's lock.
    if (t->seq == seq) t->sent_seq = seq;  // no send is to come
    if (t->seq == seq && !dropped) {
      const int64_t late_ns = UserNanotime() - due;
      absl::Time at = absl::FromUnixNanos(UserWalltime() - late_ns);
      // Not TrySend, which may give way: a bubble's clock runs on a goroutine.
      ChanSend(t->c.hchan(), &at, /*block=*/false);
    }
  }
  if (!t->ticker || dropped) Unuse(t);
  return nullptr;
}

// Go: goFunc
G* FireFunc(Timer* timer, uint32_t, int64_t due) {
  TimerRef armed(static_cast<UserTimer*>(timer));
  if (due == kTimerDropped) {
    armed.get()->f->Drop();
    return nullptr;
  }
  Go([t = std::move(armed)] { t.get()->f->Run(); });
  return nullptr;
}

// send_lock of a timer with a channel, with the goroutine kept on its thread meanwhile.
class SendLock {
 public:
  explicit SendLock(UserTimer* t) ABSL_NO_THREAD_SAFETY_ANALYSIS : mp_(AcquireM()), t_(t) {
    t_->send_lock.Lock();
  }
  ~SendLock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    t_->send_lock.Unlock();
    ReleaseM(mp_);
  }
  SendLock(const SendLock&) = delete;
  SendLock& operator=(const SendLock&) = delete;

 private:
  M* const mp_;
  UserTimer* const t_;
};

// Stops t (when == 0) or arms it. The armed state is a user of the payload. That user is added
// before t is armed, because t may fire before TimerReset returns, and taken back if t was armed
// already.
bool Change(UserTimer* t, int64_t when, int64_t period_ns, bool* taken) {
  bool pending;
  if (when == 0) {
    pending = TimerStop(t, taken);
  } else {
    Use(t);
    pending = TimerReset(t, when, period_ns, taken);
  }
  if (pending) Unuse(t);  // not the last: the caller has a handle
  return pending;
}

// Arms t, which nobody else knows yet.
void Start(UserTimer* t, int64_t d_ns, int64_t period_ns) {
  t->users.store(2, std::memory_order_relaxed);  // the handle and the armed state
  TimerStart(t, TimerWhen(d_ns), period_ns);
}

// A foreign thread may make a timer before it calls anything else.
void AttachThread() {
  if (GORT_UNLIKELY(Getg() == nullptr)) CurrentG();
}

void* NewBlock(size_t bytes, size_t align) {
  if (GORT_LIKELY(align <= __STDCPP_DEFAULT_NEW_ALIGNMENT__)) return ::operator new(bytes);
  return ::operator new(bytes, static_cast<std::align_val_t>(align));
}

void FreeBlock(void* block, size_t align) {
  if (GORT_LIKELY(align <= __STDCPP_DEFAULT_NEW_ALIGNMENT__)) return ::operator delete(block);
  ::operator delete(block, static_cast<std::align_val_t>(align));
}

bool ChangeChan(UserTimer* t, int64_t when, int64_t period_ns) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  SendLock lock(t);
  const uint32_t seq = t->seq;
  bool taken;
  bool pending = Change(t, when, period_ns, &taken);
  // The timer was taken from the heap and its send is still to come. That send finds another seq
  // and sends nothing, so the timer counts as stopped.
  if (!t->ticker && taken && t->sent_seq != seq) pending = true;
  // Sent, but not received. Go: timerchandrain
  if (t->c.TryRecv(nullptr) == RecvState::kValue) pending = true;
  return pending;
}

}  // namespace

TimerRef::TimerRef(const TimerRef& o) : t_(o.t_) {
  if (t_ != nullptr) Use(t_);
}

TimerRef::~TimerRef() {
  if (t_ != nullptr) Unuse(t_);
}

TimerRef NewChanTimer(int64_t d_ns, int64_t period_ns) {
  AttachThread();
  TimerRef t(new UserTimer(&FireChan, period_ns > 0));
  t.get()->c = MakeChan<absl::Time>(1);
  Start(t.get(), d_ns, period_ns);
  return t;
}

FuncTimerRoom::FuncTimerRoom(size_t bytes, size_t align)
    : align_(std::max(align, alignof(UserTimer))), offset_(AlignUp(sizeof(UserTimer), align_)) {
  AttachThread();
  block_ = NewBlock(offset_ + bytes, align_);
}

FuncTimerRoom::~FuncTimerRoom() {
  if (block_ != nullptr) FreeBlock(block_, align_);
}

TimerRef FuncTimerRoom::Start(int64_t d_ns, TimerCallback* f) {
  auto* t = ::new (std::exchange(block_, nullptr)) UserTimer(&FireFunc, false);
  t->release = [](Timer* timer) {
    const size_t align = static_cast<UserTimer*>(timer)->align;
    static_cast<UserTimer*>(timer)->~UserTimer();
    FreeBlock(timer, align);
  };
  t->align = align_;
  t->f = f;
  rt::Start(t, d_ns, 0);
  return TimerRef(t);
}

bool StopTimer(UserTimer* t) {
  if (t == nullptr) PanicUninitialised("time: Stop called on uninitialized Timer");
  return t->c ? ChangeChan(t, 0, 0) : Change(t, 0, 0, nullptr);
}

bool ResetTimer(UserTimer* t, int64_t d_ns, int64_t period_ns) {
  if (t == nullptr) PanicUninitialised("time: Reset called on uninitialized Timer");
  const int64_t when = TimerWhen(d_ns);
  return t->c ? ChangeChan(t, when, period_ns) : Change(t, when, period_ns, nullptr);
}

RecvChan<absl::Time> ChanOf(const UserTimer* t) {
  return t != nullptr ? RecvChan<absl::Time>(t->c) : RecvChan<absl::Time>();
}

int64_t TickerPeriod(int64_t d_ns, bool positive, const char* text) {
  if (!positive) throw Panic(text);
  return d_ns > 0 ? d_ns : 1;
}

void PanicUninitialised(const char* text) { throw Panic(text); }

}  // namespace gort::rt
