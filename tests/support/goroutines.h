// tests/support/goroutines.h: for tests that run goroutines.
// What      the body of a test as a goroutine, waiting for a condition without sleeping, and
//           telling whether a goroutine has parked, and why.
#ifndef GORT_TESTS_SUPPORT_GOROUTINES_H_
#define GORT_TESTS_SUPPORT_GOROUTINES_H_

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "gort/gmp/g.h"
#include "gort/proc/go.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define GORT_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define GORT_TEST_SANITIZED 1
#endif
#endif
#ifndef GORT_TEST_SANITIZED
#define GORT_TEST_SANITIZED 0
#endif

// At file scope of a test that leaves goroutines waiting for ever: what they hold is not a leak.
#define GORT_TEST_LEAVES_GOROUTINES_BEHIND                    \
  extern "C" const char* __lsan_default_options(); /*NOLINT*/ \
  extern "C" const char* __lsan_default_options() { return "detect_leaks=0"; }

namespace gort::testing {

// Runs body as a goroutine and waits for its end.
void InGort(const std::function<void()>& body);

// Lets other goroutines run once. Go: Gosched
void Yield();

// Lets other goroutines run until cond(); false when that takes more than 30 seconds.
bool Eventually(const std::function<bool()>& cond);

// Makes the calling thread known to the runtime, if it is not yet. While such a thread is there the
// runtime does not take a standstill of all goroutines for a deadlock.
void AttachThread();

// A thread that runs f; it is attached when this returns.
template <class F>
std::thread AttachedThread(F f) {
  auto attached = std::make_shared<std::promise<void>>();
  std::future<void> done = attached->get_future();
  std::thread t([attached, f = std::move(f)]() mutable {
    AttachThread();
    attached->set_value();
    f();
  });
  done.wait();
  return t;
}

// GOMAXPROCS for the life of the object.
class Procs {
 public:
  explicit Procs(int n);
  ~Procs();

 private:
  int before_;
};

// A goroutine under observation.
class Probe {
 public:
  // Returns once f has returned or the goroutine has parked.
  template <class F>
  explicit Probe(F f) : s_(std::make_shared<State>()) {
    gort::Go([s = s_, f = std::move(f)]() mutable {
      s->Enter();
      {
        F mine = std::move(f);  // what it captured is gone when done is set
        mine();
      }
      s->done.store(true);
    });
    settled_ = Settle();
  }

  bool done() const { return s_->done.load(); }
  // Why it waits, in the words of tracebacks; "" when it is done, "running" when it neither ended
  // nor parked within 30 seconds.
  std::string Waits() const;
  // Waits until it is done; false when that takes more than 30 seconds.
  bool Finish() const {
    return Eventually([this] { return done(); });
  }

 private:
  struct State {
    std::atomic<rt::G*> gp{nullptr};
    std::atomic<bool> done{false};
    void Enter();
  };
  bool Parked() const;
  bool Settle() const;

  std::shared_ptr<State> s_;
  bool settled_ = false;
};

}  // namespace gort::testing

#endif  // GORT_TESTS_SUPPORT_GOROUTINES_H_
