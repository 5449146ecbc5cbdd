// tests/anycode/threads.cc: threads that goroutines start, and the rest of what synchronises threads.
#include <pthread.h>
#include <threads.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <future>
#include <latch>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <numeric>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/patterns.h"
#include "gort/tests/anycode/row.h"

namespace anycode {
namespace {

// Of C11.
template <int kType>
class Mtx {
 public:
  Mtx() { ExpectEq(thrd_success, mtx_init(&mutex_, kType), "mtx_init"); }
  ~Mtx() { mtx_destroy(&mutex_); }
  void lock() {
    ExpectEq(thrd_success, mtx_lock(&mutex_), "mtx_lock");
    if ((kType & mtx_recursive) != 0) ExpectEq(thrd_success, mtx_lock(&mutex_), "mtx_lock again");
  }
  void unlock() {
    if ((kType & mtx_recursive) != 0) ExpectEq(thrd_success, mtx_unlock(&mutex_), "mtx_unlock");
    ExpectEq(thrd_success, mtx_unlock(&mutex_), "mtx_unlock");
  }
  mtx_t* get() { return &mutex_; }

 private:
  mtx_t mutex_;
};

class CndCourt {
 public:
  CndCourt() {
    for (cnd_t& c : conditions_) ExpectEq(thrd_success, cnd_init(&c), "cnd_init");
  }
  ~CndCourt() {
    for (cnd_t& c : conditions_) cnd_destroy(&c);
  }
  void Post(int side, int64_t v) {
    {
      std::lock_guard lock(mutex_);
      values_[side] = v;
      full_[side] = true;
    }
    ExpectEq(thrd_success, cnd_signal(&conditions_[side]), "cnd_signal");
  }
  int64_t Wait(int side) {
    std::lock_guard lock(mutex_);
    while (!full_[side]) {
      ExpectEq(thrd_success, cnd_wait(&conditions_[side], mutex_.get()), "cnd_wait");
    }
    full_[side] = false;
    return values_[side];
  }

 private:
  Mtx<mtx_plain> mutex_;
  cnd_t conditions_[2];
  bool full_[2] = {};
  int64_t values_[2] = {};
};

// The kernel keeps a list of them for each thread, and tells the next owner when the last one died.
class RobustMutex {
 public:
  RobustMutex() {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    ExpectEq(0, pthread_mutex_init(&mutex_, &attributes), "pthread_mutex_init");
    pthread_mutexattr_destroy(&attributes);
  }
  ~RobustMutex() { pthread_mutex_destroy(&mutex_); }
  void lock() { ExpectEq(0, pthread_mutex_lock(&mutex_), "pthread_mutex_lock"); }
  void unlock() { ExpectEq(0, pthread_mutex_unlock(&mutex_), "pthread_mutex_unlock"); }

 private:
  pthread_mutex_t mutex_;
};

// Waits by atomic_flag::wait.
class FlagMutex {
 public:
  void lock() {
    while (taken_.test_and_set()) taken_.wait(true);
  }
  void unlock() {
    taken_.clear();
    taken_.notify_one();
  }

 private:
  std::atomic_flag taken_;
};

// Readers do not pass a writer that waits.
Task WritersFirst(int) {
  struct Shared {
    Shared() {
      pthread_rwlockattr_t attributes;
      pthread_rwlockattr_init(&attributes);
      pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
      ExpectEq(0, pthread_rwlock_init(&lock, &attributes), "pthread_rwlock_init");
      pthread_rwlockattr_destroy(&attributes);
    }
    ~Shared() { pthread_rwlock_destroy(&lock); }
    pthread_rwlock_t lock;
    Guarded guarded;
    std::atomic<int64_t> writes{0};
  };
  auto s = std::make_shared<Shared>();
  return {[s](Worker& w) {
            for (int i = w.index(); w.Next(); ++i) {
              if (i % 4 == 0) {
                ExpectEq(0, pthread_rwlock_wrlock(&s->lock), "pthread_rwlock_wrlock");
                s->writes.fetch_add(1);
                s->guarded.Visit(20);
              } else {
                ExpectEq(0, pthread_rwlock_rdlock(&s->lock), "pthread_rwlock_rdlock");
                const int64_t entered = s->guarded.entered();
                Burn(20);
                ExpectEq(entered, s->guarded.entered(), "writes during a read");
              }
              ExpectEq(0, pthread_rwlock_unlock(&s->lock), "pthread_rwlock_unlock");
            }
          },
          [s](int64_t) { ExpectEq(s->writes.load(), s->guarded.entered(), "writes"); }};
}

// The partners meet at it, again and again.
Task PthreadBarrier(int workers) {
  struct Court {
    Court() { ExpectEq(0, pthread_barrier_init(&meet, nullptr, 2), "pthread_barrier_init"); }
    ~Court() { pthread_barrier_destroy(&meet); }
    pthread_barrier_t meet;
    std::atomic<bool> end{false};
    std::atomic<int> serial{0};
    std::atomic<int64_t> rounds[2] = {};
  };
  auto courts = std::make_shared<std::vector<Court>>(static_cast<size_t>(workers / 2));
  return {[courts](Worker& w) {
    if ((w.index() | 1) >= w.workers()) return void(w.Next());
    Court& court = (*courts)[static_cast<size_t>(w.index() / 2)];
    const auto meet = [&court] {
      if (pthread_barrier_wait(&court.meet) != 0) court.serial.fetch_add(1);
    };
    for (int64_t round = 1;; ++round) {
      if (w.leads()) court.end.store(!w.Next());
      court.rounds[w.index() % 2].store(round);
      meet();
      ExpectEq(round, court.rounds[w.partner() % 2].load(), "the partner's round");
      const bool end = court.end.load();
      meet();
      if (end) break;
    }
  }};
}

class LatchCourt {
 public:
  LatchCourt() {
    for (auto& l : latches_) l.emplace(1);
  }
  void Post(int side, int64_t v) {
    values_[side] = v;
    latches_[side]->count_down();
  }
  int64_t Wait(int side) {
    latches_[side]->wait();
    const int64_t v = values_[side];
    latches_[side].emplace(1);
    return v;
  }

 private:
  std::optional<std::latch> latches_[2];
  int64_t values_[2] = {};
};

Task C11CallOnce(int) {
  struct Once {
    once_flag flag = ONCE_FLAG_INIT;
    std::atomic<int> calls{0};
  };
  static std::vector<Once> onces(1 << 16);
  static thread_local Once* current = nullptr;
  return {[](Worker& w) {
    for (size_t i = 0; w.Next(); i = (i + 1) % onces.size()) {
      current = &onces[i];
      ::call_once(&onces[i].flag, [] {
        Burn(50);
        current->calls.fetch_add(1);
      });
      ExpectEq(1, onces[i].calls.load(), "calls of call_once's function");
    }
  }};
}

// A value whose destructor runs at the end of the thread.
struct AtExit {
  ~AtExit() {
    if (seen != nullptr) seen->fetch_add(1);
  }
  std::atomic<int>* seen = nullptr;
};
thread_local AtExit at_exit;

Task StartThread(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      std::atomic<int> ends{0};
      int64_t sum = 0;
      std::thread thread([&] {
        at_exit.seen = &ends;
        for (int i = 1; i <= 100; ++i) sum += i;
      });
      thread.join();
      ExpectEq(5050, sum, "the thread's sum");
      ExpectEq(1, ends.load(), "destructors at the end of the thread");
    }
  }};
}

Task Async(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      std::vector<int> numbers(1000);
      std::iota(numbers.begin(), numbers.end(), w.index());
      auto half = std::async(std::launch::async, [&numbers] {
        return std::accumulate(numbers.begin(), numbers.begin() + 500, int64_t{0});
      });
      auto rest = std::async(std::launch::deferred, [&numbers] {
        return std::accumulate(numbers.begin() + 500, numbers.end(), int64_t{0});
      });
      ExpectEq(1000 * w.index() + 499500, half.get() + rest.get(), "the sum");
    }
  }};
}

// A thread that waits until it is told to stop.
Task StopThread(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      std::atomic<bool> stopped{false};
      {
        std::mutex mutex;
        std::condition_variable_any condition;
        std::jthread thread([&](const std::stop_token& stop) {
          std::unique_lock lock(mutex);
          stopped.store(!condition.wait(lock, stop, [] { return false; }));
        });
        Burn(20);
        thread.request_stop();
        thread.join();
      }
      Expect(stopped.load(), "the thread was not told to stop");
    }
  }};
}

// A pool for each thread, in one resource.
Task SynchronizedPool(int) {
  auto pool = std::make_shared<std::pmr::synchronized_pool_resource>();
  return {[pool](Worker& w) {
    while (w.Next()) {
      void* blocks[30];
      const int mark = w.index() % 100 + 1;
      for (size_t i = 0; i < 30; ++i) {
        blocks[i] = pool->allocate(8 * (i + 1));
        memset(blocks[i], mark, 8 * (i + 1));
        Burn(1);
      }
      for (size_t i = 0; i < 30; ++i) {
        const auto* bytes = static_cast<unsigned char*>(blocks[i]);
        for (size_t b = 0; b < 8 * (i + 1); ++b) ExpectEq(mark, bytes[b], "a byte of a block");
        pool->deallocate(blocks[i], 8 * (i + 1));
      }
    }
  }};
}

}  // namespace

Family Threads() {
  return {"threads",
          {{"mtx", Exclusive<Mtx<mtx_plain>>},
           {"mtx_recursive", Exclusive<Mtx<mtx_plain | mtx_recursive>>},
           {"cnd", PingPong<CndCourt>},
           {"c11_call_once", C11CallOnce},
           {"pthread_robust", Exclusive<RobustMutex>},
           {"pthread_writers_first", WritersFirst},
           {"pthread_barrier", PthreadBarrier},
           {"flag_mutex", Exclusive<FlagMutex>},
           {"latch", PingPong<LatchCourt>},
           {"start_thread", StartThread},
           {"async", Async},
           {"stop_thread", StopThread},
           {"synchronized_pool", SynchronizedPool}}};
}

}  // namespace anycode
