// tests/anycode/absl.cc: Abseil's mutex, which keeps a record of each thread, and what waits by it.
#include <chrono>
#include <cstdint>
#include <memory>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/patterns.h"
#include "gort/tests/anycode/row.h"

namespace anycode {
namespace {

constexpr std::chrono::milliseconds kWait{20};

class Mutex {
 public:
  void lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex_.Lock(); }
  void unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mutex_.AssertHeld();
    mutex_.Unlock();
  }

 private:
  absl::Mutex mutex_;
};

class CondVarCourt {
 public:
  void Post(int side, int64_t v) {
    absl::MutexLock lock(&mutex_);
    values_[side] = v;
    full_[side] = true;
    conditions_[side].Signal();
  }
  int64_t Wait(int side) {
    absl::MutexLock lock(&mutex_);
    while (!full_[side]) conditions_[side].Wait(&mutex_);
    full_[side] = false;
    return values_[side];
  }

 private:
  absl::Mutex mutex_;
  absl::CondVar conditions_[2];
  bool full_[2] = {};
  int64_t values_[2] = {};
};

// The mutex itself evaluates what its waiters wait for.
class AwaitCourt {
 public:
  void Post(int side, int64_t v) {
    absl::MutexLock lock(&mutex_);
    values_[side] = v;
    full_[side] = true;
  }
  int64_t Wait(int side) {
    absl::MutexLock lock(&mutex_, absl::Condition(&full_[side]));
    full_[side] = false;
    return values_[side];
  }

 private:
  absl::Mutex mutex_;
  bool full_[2] = {};
  int64_t values_[2] = {};
};

class NotificationCourt {
 public:
  NotificationCourt() {
    for (auto& n : notified_) n = std::make_shared<absl::Notification>();
  }
  void Post(int side, int64_t v) {
    values_[side] = v;
    const std::shared_ptr<absl::Notification> n = notified_[side];
    n->Notify();
  }
  int64_t Wait(int side) {
    notified_[side]->WaitForNotification();
    const int64_t v = values_[side];
    notified_[side] = std::make_shared<absl::Notification>();
    return v;
  }

 private:
  std::shared_ptr<absl::Notification> notified_[2];
  int64_t values_[2] = {};
};

// Three in four read.
Task Readers(int) {
  struct Shared {
    absl::Mutex mutex;
    Guarded guarded;
  };
  auto s = std::make_shared<Shared>();
  return {[s](Worker& w) {
    for (int i = w.index(); w.Next(); ++i) {
      if (i % 4 == 0) {
        absl::WriterMutexLock lock(&s->mutex);
        s->guarded.Visit(20);
      } else {
        absl::ReaderMutexLock lock(&s->mutex);
        const int64_t entered = s->guarded.entered();
        Burn(20);
        ExpectEq(entered, s->guarded.entered(), "writes during a read");
      }
    }
  }};
}

Task Timeout(int) {
  struct Shared {
    absl::Mutex mutex;
    absl::CondVar condition;
  };
  auto s = std::make_shared<Shared>();
  return {
      .work =
          [s](Worker& w) {
            while (w.Next()) {
              const Clock::time_point start = Clock::now();
              absl::MutexLock lock(&s->mutex);
              if (w.leads()) {
                while (!s->condition.WaitWithTimeout(&s->mutex, absl::FromChrono(kWait))) {
                }
              } else {
                const bool never = false;
                Expect(!s->mutex.AwaitWithTimeout(absl::Condition(&never), absl::FromChrono(kWait)),
                       "AwaitWithTimeout");
              }
              Expect(Clock::now() - start >= kWait - std::chrono::milliseconds(1), "too early");
            }
          },
      .waits = kWait};
}

}  // namespace

Family Absl() {
  return {"absl",
          {{"absl_mutex", Exclusive<Mutex>},
           {"absl_readers", Readers},
           {"absl_cond_var", PingPong<CondVarCourt>},
           {"absl_await", PingPong<AwaitCourt>},
           {"absl_notification", PingPong<NotificationCourt>},
           {"absl_timeout", Timeout}}};
}

}  // namespace anycode
