// tests/anycode/waiting.cc: what waits for another by a futex or a pipe.
#include <semaphore.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <semaphore>
#include <shared_mutex>
#include <thread>
#include <utility>
#include <vector>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/patterns.h"
#include "gort/tests/anycode/row.h"

namespace anycode {
namespace {

constexpr std::chrono::milliseconds kWait{20};

template <class Mutex, class Condition>
class ConditionCourt {
 public:
  void Post(int side, int64_t v) {
    {
      std::lock_guard lock(mutex_);
      values_[side] = v;
      full_[side] = true;
    }
    conditions_[side].notify_one();
  }
  int64_t Wait(int side) {
    std::unique_lock lock(mutex_);
    conditions_[side].wait(lock, [&] { return full_[side]; });
    full_[side] = false;
    return values_[side];
  }

 private:
  Mutex mutex_;
  Condition conditions_[2];
  bool full_[2] = {};
  int64_t values_[2] = {};
};

class SemaphoreCourt {
 public:
  void Post(int side, int64_t v) {
    values_[side] = v;
    semaphores_[side].release();
  }
  int64_t Wait(int side) {
    semaphores_[side].acquire();
    return values_[side];
  }

 private:
  std::array<std::binary_semaphore, 2> semaphores_{std::binary_semaphore(0),
                                                   std::binary_semaphore(0)};
  int64_t values_[2] = {};
};

class PosixSemaphoreCourt {
 public:
  PosixSemaphoreCourt() {
    for (sem_t& s : semaphores_) ExpectCall(0, sem_init(&s, 0, 0), "sem_init");
  }
  void Post(int side, int64_t v) {
    values_[side] = v;
    ExpectCall(0, sem_post(&semaphores_[side]), "sem_post");
  }
  int64_t Wait(int side) {
    ExpectCall(0, sem_wait(&semaphores_[side]), "sem_wait");
    return values_[side];
  }

 private:
  sem_t semaphores_[2];
  int64_t values_[2] = {};
};

class AtomicCourt {
 public:
  void Post(int side, int64_t v) {
    values_[side].store(v);
    values_[side].notify_one();
  }
  int64_t Wait(int side) {
    values_[side].wait(kEmpty);
    return values_[side].exchange(kEmpty);
  }

 private:
  static constexpr int64_t kEmpty = -2;
  std::atomic<int64_t> values_[2] = {kEmpty, kEmpty};
};

class PipeCourt {
 public:
  PipeCourt() {
    for (auto& p : pipes_) ExpectCall(0, pipe(p), "pipe");
  }
  ~PipeCourt() {
    for (auto& p : pipes_) {
      for (int fd : p) close(fd);
    }
  }
  void Post(int side, int64_t v) {
    ExpectCall(sizeof(v), write(pipes_[side][1], &v, sizeof(v)), "write");
  }
  int64_t Wait(int side) {
    int64_t v = -1;
    ExpectCall(sizeof(v), read(pipes_[side][0], &v, sizeof(v)), "read");
    return v;
  }

 private:
  int pipes_[2][2];
};

// Each puts a value into a queue of two places, for which it may have to wait, and takes one out.
Task BoundedQueue(int) {
  struct Queue {
    std::mutex mutex;
    std::condition_variable not_full;
    std::deque<int64_t> values;
    int64_t in = 0, out = 0;
  };
  auto q = std::make_shared<Queue>();
  return {[q](Worker& w) {
            while (w.Next()) {
              {
                std::unique_lock lock(q->mutex);
                q->not_full.wait(lock, [&] { return q->values.size() < 2; });
                q->values.push_back(w.index());
                q->in += w.index();
              }
              Burn(5);
              {
                std::lock_guard lock(q->mutex);
                Expect(!q->values.empty(), "a value was lost");
                q->out += q->values.front();
                q->values.pop_front();
              }
              q->not_full.notify_one();
            }
          },
          [q](int64_t) { ExpectEq(q->in, q->out, "sum of the values"); }};
}

// Nobody notifies: the time runs out.
Task ConditionTimeout(int) {
  struct Shared {
    std::mutex mutex;
    std::condition_variable condition;
  };
  auto s = std::make_shared<Shared>();
  return {.work =
              [s](Worker& w) {
                while (w.Next()) {
                  const Clock::time_point start = Clock::now();
                  std::unique_lock lock(s->mutex);
                  const bool met = s->condition.wait_for(lock, kWait, [] { return false; });
                  Expect(!met && Clock::now() - start >= kWait, "wait_for ended too early");
                }
              },
          .waits = kWait};
}

Task TimedMutexTimeout(int) {
  struct Owned {
    Owned() : owner([this] { Keep(); }) { owned.get_future().wait(); }
    ~Owned() {
      end.set_value();
      owner.join();
    }
    void Keep() {
      std::lock_guard lock(mutex);
      owned.set_value();
      end.get_future().wait();
    }
    std::promise<void> owned, end;
    std::timed_mutex mutex;
    std::thread owner;
  };
  auto s = std::make_shared<Owned>();
  return {.work =
              [s](Worker& w) {
                while (w.Next()) Expect(!s->mutex.try_lock_for(kWait), "two own the mutex");
              },
          .waits = kWait};
}

// No more inside than the semaphore admits.
Task CountingSemaphore(int) {
  struct Shared {
    std::counting_semaphore<> semaphore{3};
    std::atomic<int> inside{0};
  };
  auto s = std::make_shared<Shared>();
  return {[s](Worker& w) {
    while (w.Next()) {
      s->semaphore.acquire();
      Expect(s->inside.fetch_add(1) < 3, "more inside than the semaphore admits");
      Burn(20);
      s->inside.fetch_sub(1);
      s->semaphore.release();
    }
  }};
}

// All meet, again and again: nobody is in a phase before everybody has ended the last one.
Task Barrier(int workers) {
  struct Shared {
    explicit Shared(int n) : meet(n), phase(static_cast<size_t>(n)) {}
    std::barrier<> meet;
    std::vector<std::atomic<int64_t>> phase;
  };
  auto s = std::make_shared<Shared>(workers);
  return {[s](Worker& w) {
    auto& mine = s->phase[static_cast<size_t>(w.index())];
    for (int64_t phase = 1; w.Next(); ++phase) {
      mine.store(phase);
      s->meet.arrive_and_wait();
      for (auto& theirs : s->phase) Expect(theirs.load() >= phase, "somebody passed the barrier");
    }
    mine.store(INT64_MAX);
    s->meet.arrive_and_drop();
  }};
}

// The value and the exception of a promise, made by the partner.
Task Futures(int workers) {
  struct Court {
    void Post(int side, int64_t v) {
      std::promise<int64_t> next;
      {
        std::lock_guard lock(mutex);
        next = std::exchange(promises[side], {});
        futures[side].push_back(promises[side].get_future());
      }
      next.set_value(v);
    }
    int64_t Wait(int side) {
      std::future<int64_t> next;
      {
        std::lock_guard lock(mutex);
        next = std::move(futures[side].front());
        futures[side].pop_front();
      }
      return next.get();
    }
    Court() {
      for (int side : {0, 1}) futures[side].push_back(promises[side].get_future());
    }
    std::mutex mutex;
    std::promise<int64_t> promises[2];
    std::deque<std::future<int64_t>> futures[2];
  };
  return PingPong<Court>(workers);
}

// The first caller is slow, and nobody passes it by.
Task CallOnce(int) {
  struct Once {
    std::once_flag flag;
    std::atomic<int> calls{0};
    volatile int value = 0;
  };
  auto onces = std::make_shared<std::vector<Once>>(1 << 16);
  return {[onces](Worker& w) {
    for (size_t i = 0; w.Next(); i = (i + 1) % onces->size()) {
      Once& once = (*onces)[i];
      std::call_once(once.flag, [&once] {
        Burn(50);
        once.calls.fetch_add(1);
        once.value = 1;
      });
      Expect(once.value == 1 && once.calls.load() == 1, "call_once");
    }
  }};
}

}  // namespace

Family Waiting() {
  return {"waiting",
          {{"condition_variable", PingPong<ConditionCourt<std::mutex, std::condition_variable>>},
           {"condition_variable_any",
            PingPong<ConditionCourt<std::shared_timed_mutex, std::condition_variable_any>>},
           {"condition_variable_recursive",
            PingPong<ConditionCourt<std::recursive_mutex, std::condition_variable_any>>},
           {"condition_variable_timeout", ConditionTimeout},
           {"bounded_queue", BoundedQueue},
           {"timed_mutex_timeout", TimedMutexTimeout},
           {"binary_semaphore", PingPong<SemaphoreCourt>},
           {"counting_semaphore", CountingSemaphore},
           {"sem_wait", PingPong<PosixSemaphoreCourt>},
           {"atomic_wait", PingPong<AtomicCourt>},
           {"barrier", Barrier},
           {"future", Futures},
           {"call_once", CallOnce},
           {"pipe", PingPong<PipeCourt>}}};
}

}  // namespace anycode
