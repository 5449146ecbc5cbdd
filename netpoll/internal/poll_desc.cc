#include "gort/netpoll/internal/poll_desc.h"

#include <atomic>
#include <cerrno>
#include <new>

#include "absl/base/thread_annotations.h"
#include "gort/base/attributes.h"
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/glist.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/lock/lock_rank.gen.h"
#include "gort/lock/mutex.h"
#include "gort/malloc/internal/persistentalloc.h"
#include "gort/netpoll/internal/poller.h"
#include "gort/platforms/clock.h"
#include "gort/proc/proc.h"
#include "gort/timer/internal/bubble.h"
#include "gort/timer/internal/timers.h"

namespace gort::rt {
namespace {

// The values of a waiting word that are not a G.
constexpr uintptr_t kNobody = 0;
constexpr uintptr_t kReady = 1;    // an edge that nobody has taken
constexpr uintptr_t kParking = 2;  // somebody is on the way to park

// PollDesc::info: flags, and above them fdseq, which counts the users of the PollDesc.
constexpr uint32_t kClosing = 1;
constexpr uint32_t kEventError = 2;
constexpr uint32_t kReadExpired = 4;
constexpr uint32_t kWriteExpired = 8;
constexpr uint32_t kSpecial = 16;  // kPollSpecial has come
constexpr uint32_t kReadCancelled = 32;
constexpr uint32_t kWriteCancelled = 64;
constexpr uint32_t kFlags = 0xff;
constexpr int kSeqShift = 8;

// A token is the PollDesc's address, of which the six low bits are 0 and the 16 high ones are not
// used by user space of any port, with 22 bits of fdseq in the gaps. At 100,000 descriptors opened
// in a place each second a value comes back after 40 s; an event is on its way for microseconds.
constexpr int kLowBits = 6;
constexpr int kAddressBits = 48;

struct DeadlineTimer : Timer {
  explicit DeadlineTimer(PollDesc* d, uint32_t m) : Timer(&Fire), pd(d), mode(m) {
    // Stopped and armed again for ever: the owner keeps its reference, release never comes.
    release = [](Timer*) {};
  }
  static G* Fire(Timer* t, uint32_t seq, int64_t due);

  PollDesc* const pd;
  const uint32_t mode;
  bool armed = false;  // guarded by pd->mu
};

}  // namespace

struct alignas(1 << kLowBits) PollDesc {
  PollDesc() : read_timer(this, kPollRead), write_timer(this, kPollWrite) {}

  std::atomic<uintptr_t> rg{kNobody};  // atomic (see the header); who waits for reading
  std::atomic<uintptr_t> wg{kNobody};  // the same for writing
  // atomic; changed under mu, by NoteEvent without it, and while one call alone knows the PollDesc
  std::atomic<uint32_t> info{0};
  Mutex mu{LockRank::kPolldesc};
  int fd ABSL_GUARDED_BY(mu) = -1;  // -1: not registered
  DeadlineTimer read_timer;         // armed and stopped under mu
  DeadlineTimer write_timer;
  PollDesc* link = nullptr;  // guarded by free_list.mu
};

namespace {

struct FreeList {
  Mutex mu;  // not ranked: taken with no other lock held
  PollDesc* head ABSL_GUARDED_BY(mu) = nullptr;
};
constinit FreeList free_list;

constexpr int kBlock = 16;  // descriptors allocated at a time

PollDesc* TakeFree() {
  LockGuard l(&free_list.mu);
  PollDesc* pd = free_list.head;
  if (pd != nullptr) free_list.head = pd->link;
  return pd;
}

void PutFree(PollDesc* pd) {
  LockGuard l(&free_list.mu);
  pd->link = free_list.head;
  free_list.head = pd;
}

// Go: (*pollCache).alloc
PollDesc* Allocate() {
  if (PollDesc* pd = TakeFree(); pd != nullptr) return pd;
  auto* block =
      static_cast<PollDesc*>(PersistentAlloc(kBlock * sizeof(PollDesc), alignof(PollDesc)));
  for (int i = 1; i < kBlock; ++i) PutFree(new (block + i) PollDesc);
  return new (block) PollDesc;
}

std::atomic<uintptr_t>* WordOf(PollDesc* pd, uint32_t mode) {
  return mode == kPollRead ? &pd->rg : &pd->wg;
}

uint32_t ExpiredBit(uint32_t mode) { return mode == kPollRead ? kReadExpired : kWriteExpired; }

uint32_t CancelledBit(uint32_t mode) {
  return mode == kPollRead ? kReadCancelled : kWriteCancelled;
}

// Go: netpollcheckerr
PollResult Check(PollDesc* pd, uint32_t mode) {
  const uint32_t info = pd->info.load();
  if (GORT_LIKELY((info & kFlags & ~kSpecial) == 0)) return PollResult::kOk;
  if ((info & kClosing) != 0) return PollResult::kClosing;
  if ((info & ExpiredBit(mode)) != 0) return PollResult::kTimeout;
  if ((info & CancelledBit(mode)) != 0) return PollResult::kCancelled;
  if (mode == kPollRead && (info & kEventError) != 0) return PollResult::kNotPollable;
  return PollResult::kOk;
}

// Takes the parked G off the word and returns it; null: none is parked. edge: the next wait is to
// find an edge. Go: netpollunblock
G* TakeWaiter(std::atomic<uintptr_t>* word, bool edge) {
  uintptr_t old = word->load();
  for (;;) {
    if (old == kReady || (old == kNobody && !edge)) return nullptr;
    // A waiter that is about to park finds kReady, or finds its kParking gone, and does not park.
    if (word->compare_exchange_weak(old, edge ? kReady : kNobody)) break;
  }
  if (old == kNobody || old == kParking) return nullptr;
  sched.netpoll_waiters.fetch_sub(1, std::memory_order_relaxed);
  return reinterpret_cast<G*>(old);
}

void Wake(G* gp) {
  if (gp != nullptr) GoReady(gp);
}

// Runs once the waiter has left its stack. Go: netpollblockcommit
bool CommitPark(G* gp, void* word) {
  // Counted before the word shows gp: the call that takes gp off the word takes it off the count.
  sched.netpoll_waiters.fetch_add(1);
  uintptr_t parking = kParking;
  const bool foreign = gp->foreign;
  if (!static_cast<std::atomic<uintptr_t>*>(word)->compare_exchange_strong(
          parking, reinterpret_cast<uintptr_t>(gp))) {
    sched.netpoll_waiters.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  // A goroutine's M looks for work next, and so polls. A foreign thread does not: if every M sleeps
  // on its note, one of them must go to the poller. These operations are seq_cst. So either an M
  // that goes to sleep reads netpoll_waiters after the increment, or the thread reads lastpoll and
  // nmspinning after that M has decided.
  if (foreign && sched.lastpoll.load() != 0) WakeNetPoller(INT64_MAX);
  return true;
}

// Parks until the word is taken. True: an edge. Go: netpollblock
bool Block(PollDesc* pd, uint32_t mode) {
  std::atomic<uintptr_t>* word = WordOf(pd, mode);
  uintptr_t seen = kReady;
  if (word->compare_exchange_strong(seen, kNobody)) return true;
  if (seen != kNobody) Throw("netpoll: two wait for one direction of a descriptor");
  if (!word->compare_exchange_strong(seen, kParking)) {
    if (seen != kReady) Throw("netpoll: two wait for one direction of a descriptor");
    word->store(kNobody);
    return true;
  }
  // pairs with: TakeWaiter's callers, which write info before they look at the word
  if (Check(pd, mode) == PollResult::kOk) GoPark(&CommitPark, word, WaitReason::kIoWait);
  const uintptr_t left = word->exchange(kNobody);
  if (left > kParking) Throw("netpoll: the waiting word is corrupted");
  return left == kReady;
}

// Go: netpollDeadline
G* DeadlineTimer::Fire(Timer* timer, uint32_t seq, int64_t) {
  auto* t = static_cast<DeadlineTimer*>(timer);
  PollDesc* pd = t->pd;
  {
    LockGuard l(&pd->mu);
    // seq changes by TimerReset and TimerStop only, which are called with mu held.
    if (seq != t->seq) return nullptr;
    t->armed = false;
    pd->info.fetch_or(ExpiredBit(t->mode));
  }
  return TakeWaiter(WordOf(pd, t->mode), false);
}

void Disarm(DeadlineTimer* t) {
  if (!t->armed) return;
  t->armed = false;
  TimerStop(t);
}

// The waiter to wake, or null.
G* SetOne(PollDesc* pd, DeadlineTimer* t, int64_t when) ABSL_EXCLUSIVE_LOCKS_REQUIRED(pd->mu) {
  const uint32_t expired = ExpiredBit(t->mode);
  if (when != 0 && when <= Nanotime()) {
    Disarm(t);
    pd->info.fetch_or(expired);
    return TakeWaiter(WordOf(pd, t->mode), false);
  }
  pd->info.fetch_and(~expired);
  if (when == 0 || when == INT64_MAX) {
    Disarm(t);
  } else {
    t->armed = true;
    TimerResetIn(nullptr, t, when, 0);  // the network knows no bubble's time
  }
  return nullptr;
}

bool RuntimeStarted() {
  return sched.main_started.load(std::memory_order_acquire) && sched_hooks.netpoll_inited;
}

// A PollDesc that nobody else knows, as good as new.
PollDesc* Fresh() {
  PollDesc* pd = Allocate();
  if (pd->rg.load() > kReady || pd->wg.load() > kReady) {
    Throw("netpoll: a descriptor in use is on the free list");
  }
  pd->rg.store(kNobody);
  pd->wg.store(kNobody);
  pd->info.fetch_and(~kFlags);
  return pd;
}

}  // namespace

PollDesc* PollOpen(int fd, int* error) {
  if (!RuntimeStarted()) {
    *error = ENOSYS;
    return nullptr;
  }
  PollDesc* pd = Fresh();
  {
    LockGuard l(&pd->mu);
    pd->fd = fd;
  }
  *error = PollerAdd(fd, PollToken(pd));
  if (*error == 0) return pd;
  {
    LockGuard l(&pd->mu);
    pd->fd = -1;
  }
  PutFree(pd);
  return nullptr;
}

PollDesc* PollOpenEvent() { return RuntimeStarted() ? Fresh() : nullptr; }

void PollClose(PollDesc* pd) {
  if ((pd->info.load() & kClosing) == 0) Throw("netpoll: PollClose without PollUnblock");
  if (pd->rg.load() > kReady || pd->wg.load() > kReady) {
    Throw("netpoll: PollClose while somebody waits");
  }
  {
    LockGuard l(&pd->mu);
    if (pd->fd >= 0) PollerRemove(pd->fd);
    pd->fd = -1;
  }
  pd->info.fetch_add(1 << kSeqShift);
  PutFree(pd);
}

PollResult PollPrepare(PollDesc* pd, uint32_t mode) {
  const PollResult result = Check(pd, mode);
  if (GORT_UNLIKELY(result != PollResult::kOk)) return result;
  // An edge stored before this one came before the system call that follows. The load may be
  // relaxed: one that it misses stays. The store may not: an event with kPollSpecial that found the
  // edge there, and so left none of its own, must be seen by PollPlain after the system call.
  std::atomic<uintptr_t>* word = WordOf(pd, mode);
  if (word->load(std::memory_order_relaxed) != kNobody) word->store(kNobody);
  return PollResult::kOk;
}

PollResult PollWait(PollDesc* pd, uint32_t mode) {
  for (;;) {
    const PollResult result = Check(pd, mode);
    if (result != PollResult::kOk) return result;
    if (Block(pd, mode)) return PollResult::kOk;
    // A deadline, PollCancel or PollUnblock ended the wait; or a deadline that was moved since, and then it
    // goes on.
  }
}

bool PollPlain(const PollDesc* pd) { return (pd->info.load() & kSpecial) == 0; }

void PollNotify(PollDesc* pd, uint32_t mode) {
  if ((mode & kPollRead) != 0) Wake(TakeWaiter(&pd->rg, true));
  if ((mode & kPollWrite) != 0) Wake(TakeWaiter(&pd->wg, true));
}

void PollSetDeadline(PollDesc* pd, int64_t when, uint32_t mode) {
  G* reader = nullptr;
  G* writer = nullptr;
  {
    LockGuard l(&pd->mu);
    if ((pd->info.load() & kClosing) != 0) return;
    if ((mode & kPollRead) != 0) reader = SetOne(pd, &pd->read_timer, when);
    if ((mode & kPollWrite) != 0) writer = SetOne(pd, &pd->write_timer, when);
  }
  Wake(reader);
  Wake(writer);
}

G* PollCancel(PollDesc* pd, uint32_t mode) {
  pd->info.fetch_or(CancelledBit(mode));
  return TakeWaiter(WordOf(pd, mode), false);
}

void PollUncancel(PollDesc* pd, uint32_t mode) { pd->info.fetch_and(~CancelledBit(mode)); }

void PollUnblock(PollDesc* pd) {
  G* reader;
  G* writer;
  {
    LockGuard l(&pd->mu);
    if ((pd->info.fetch_or(kClosing) & kClosing) != 0) Throw("netpoll: PollUnblock twice");
    Disarm(&pd->read_timer);
    Disarm(&pd->write_timer);
    reader = TakeWaiter(&pd->rg, false);
    writer = TakeWaiter(&pd->wg, false);
  }
  Wake(reader);
  Wake(writer);
}

namespace {

void AddTo(GList* to_run, G* gp) {
  if (gp == nullptr) return;
  if (gp->foreign) {
    GoReady(gp);  // no list may hold it
  } else {
    to_run->Push(gp);
  }
}

constexpr uint64_t kLowMask = (uint64_t{1} << kLowBits) - 1;

uint64_t Token(const PollDesc* pd, uint32_t info) {
  const uint64_t seq = info >> kSeqShift;
  return reinterpret_cast<uintptr_t>(pd) | (seq & kLowMask) | ((seq >> kLowBits) << kAddressBits);
}

// False: the token is a former user's. Go: (*pollDesc).setEventErr
bool NoteEvent(PollDesc* pd, uint64_t token, uint32_t mode) {
  uint32_t info = pd->info.load();
  for (;;) {
    if (Token(pd, info) != token) return false;
    uint32_t wanted = info & ~kEventError;
    if ((mode & kPollError) != 0) wanted |= kEventError;
    if ((mode & kPollSpecial) != 0) wanted |= kSpecial;
    if (wanted == info || pd->info.compare_exchange_weak(info, wanted)) return true;
  }
}

}  // namespace

uint64_t PollToken(const PollDesc* pd) { return Token(pd, pd->info.load()); }

void PollReady(uint64_t token, uint32_t mode, GList* to_run) {
  const uint64_t address = token & ((uint64_t{1} << kAddressBits) - 1) & ~kLowMask;
  auto* pd = reinterpret_cast<PollDesc*>(static_cast<uintptr_t>(address));
  if (!NoteEvent(pd, token, mode)) return;
  // If pd has its next user by now, that user wakes for no reason, once.
  if ((mode & kPollRead) != 0) AddTo(to_run, TakeWaiter(&pd->rg, true));
  if ((mode & kPollWrite) != 0) AddTo(to_run, TakeWaiter(&pd->wg, true));
}

}  // namespace gort::rt
