// bench/baseline.h: what a C++ program does without gort: threads, a mutex, condition variables.
// The baseline rows of bench/*_benchmark.cc run on these, in the same run as gort's.
#ifndef GORT_BENCH_BASELINE_H_
#define GORT_BENCH_BASELINE_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace gort::bench {

// A bounded queue between threads. Capacity 0 does not exist here: 1 comes closest.
template <class T>
class LockedQueue {
 public:
  explicit LockedQueue(size_t capacity) : capacity_(capacity) {}

  // Waits for room.
  void Push(T v) {
    {
      std::unique_lock l(mu_);
      not_full_.wait(l, [this] { return items_.size() < capacity_; });
      items_.push_back(std::move(v));
    }
    not_empty_.notify_one();
  }
  // Waits for an element; nullopt: closed and drained.
  std::optional<T> Pop() {
    std::optional<T> v;
    {
      std::unique_lock l(mu_);
      not_empty_.wait(l, [this] { return !items_.empty() || closed_; });
      if (items_.empty()) return v;
      v.emplace(std::move(items_.front()));
      items_.pop_front();
    }
    not_full_.notify_one();
    return v;
  }
  void Close() {
    {
      std::lock_guard l(mu_);
      closed_ = true;
    }
    not_empty_.notify_all();
  }

 private:
  const size_t capacity_;
  std::mutex mu_;
  std::condition_variable not_full_;
  std::condition_variable not_empty_;
  std::deque<T> items_;
  bool closed_ = false;
};

// Threads that run functions from one queue. Its end waits for those that were given to it.
class ThreadPool {
 public:
  explicit ThreadPool(int threads) : tasks_(static_cast<size_t>(-1)) {
    for (int i = 0; i < threads; ++i) {
      threads_.emplace_back([this] {
        while (std::optional<std::function<void()>> task = tasks_.Pop()) (*task)();
      });
    }
  }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool() {
    tasks_.Close();
    for (std::thread& t : threads_) t.join();
  }

  void Submit(std::function<void()> f) { tasks_.Push(std::move(f)); }

 private:
  LockedQueue<std::function<void()>> tasks_;
  std::vector<std::thread> threads_;
};

// Waits until as many calls of Done as the counter was given.
class Latch {
 public:
  void Add(int n) {
    std::lock_guard l(mu_);
    n_ += n;
  }
  void Done() {
    std::lock_guard l(mu_);
    if (--n_ == 0) zero_.notify_all();
  }
  void Wait() {
    std::unique_lock l(mu_);
    zero_.wait(l, [this] { return n_ == 0; });
  }

 private:
  std::mutex mu_;
  std::condition_variable zero_;
  int n_ = 0;
};

}  // namespace gort::bench

#endif  // GORT_BENCH_BASELINE_H_
