// tests/model/model.h: runs a small multi-threaded test body under all schedules and all outcomes
// of its atomic accesses that C++20's memory model allows.
// What      The body's threads are coroutines on one OS thread. Every access to a model::Atomic is
//           a scheduling point; what a load returns is a decision too (tests/model/memory.h, also
//           for what is not explored). Schedules with more than max_preemptions switches away from
//           a thread that could go on are left out. Finds failed Checks, calls of Throw, data races
//           on model::Var, and deadlocks: threads that wait for ever, such as lost wake-ups.
// Replay    An execution is a function of its schedule, a list of numbers that a failure prints
//           together with the trace. Schedules in which a load ran ahead of its store, or of a search
//           with only_shared, replay within the run that found them only.
// Example   Result r = Explore({}, [] {
//             Atomic<int> a{0};
//             Spawn([&] { a.store(1, std::memory_order_release); });
//             JoinAll();
//             Check(a.load() == 1, "stored");
//           });
#ifndef GORT_TESTS_MODEL_MODEL_H_
#define GORT_TESTS_MODEL_MODEL_H_

#include <cstdint>
#include <functional>
#include <string>

#include "gort/tests/model/clock.h"

namespace gort::rt::model {

struct Options {
  int max_preemptions = -1;   // switches away from a thread that could go on; -1: any number
  int max_stale_reads = 2;    // of the same store by the same thread in a row
  bool future_reads = false;  // relaxed loads may run ahead of other threads' stores
  uint64_t max_executions = 20'000'000;
  bool only_shared = false;  // switch only before steps that another thread can notice
  // Notice states that were visited before; not together with future_reads.
  bool cache_states = false;
  std::string replay = {};  // run this schedule only
  // A word that each thread has for itself, like a thread-local variable; null at a thread's start.
  void** thread_word = nullptr;
};

struct Result {
  bool ok = true;
  bool complete = false;  // everything within the bounds was visited
  uint64_t executions = 0;
  uint64_t cut_executions = 0;  // of them: repeat others, or loaded what was then never stored
  uint64_t states = 0;          // with cache_states: different ones in which threads had a choice
  std::string failure;          // what failed first
  std::string schedule;         // for Options::replay
  std::string trace;            // its steps, one a line
};

// Runs body until a schedule fails or all have passed. Body creates its state, Spawns threads and
// ends with JoinAll; it must do the same thing each time but for what the atomics return.
Result Explore(const Options& options, const std::function<void()>& body);

// The rest is for the body and its threads.

void Spawn(std::function<void()> body);
// A thread that nobody waits for: the execution may end while it sleeps.
void SpawnDaemon(std::function<void()> body);
// Waits for all spawned threads but daemons; what they did happens before the return.
void JoinAll();
// The execution is a failure unless cond.
void Check(bool cond, const char* text);
// Ends the calling thread: the execution is a failure.
[[noreturn]] void Fail(const char* text);
// While on, the calling thread is not interrupted: for bodies that have already spawned some of their
// threads and shall be the only one to run until all are there.
void Setup(bool on);
// A number below n: all are tried.
uint32_t Choose(uint32_t n);
// hook is called whenever no thread can go on. It may let threads go on (Event::Set), and returns
// null, or what is wrong. It takes no steps. Forgotten at the end of the execution.
void OnRest(std::function<const char*()> hook);
// A scheduling point before an effect of the test's own on an object.
void StepOn(const void* object);
// A line of the trace.
void Note(const char* text);

// For code that switches stacks by itself. Threads that are left over at the end of an execution
// are unwound by an exception, which must not leave a stack at its bottom.
//
// Calls f; false: the execution is over and f was left by that exception.
bool CallUntilOver(const std::function<void()>& f);
// Goes on with the unwinding on another stack of the same thread, if the execution is over.
void LeaveIfOver();

// A flag to sleep on. Signal happens before the Wait that it ends.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void Signal();
  // Signal for the hook of OnRest, which takes no steps; orders nothing.
  void Set() { set_ = true; }
  // Returns when Signal was called, at once if it has been, and resets the flag.
  void Wait();

 private:
  bool set_ = false;
  Clock clock_;
};

// A lock; waiting for it is not a pre-emption.
class Lock {
 public:
  Lock() = default;
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  void Acquire();
  void Release();
  // Release without a step of its own, for destructors: it can come only earlier than others see
  // it, and whoever waits for the lock cannot tell.
  void ReleaseAtOnce();

 private:
  bool free_ = true;
  Clock clock_;
};

class LockScope {
 public:
  explicit LockScope(Lock* lock) : lock_(lock) { lock_->Acquire(); }
  ~LockScope() noexcept(false) { lock_->Release(); }
  LockScope(const LockScope&) = delete;
  LockScope& operator=(const LockScope&) = delete;

 private:
  Lock* lock_;
};

// Happens-before bookkeeping of one plain object.
class RaceDetector {
 public:
  void Read();
  void Write();

 private:
  int writer_ = -1;
  uint32_t write_time_ = 0;
  Clock reads_;
};

// Plain data: two accesses, one of them a write, that no happens-before orders are a failure.
template <class T>
class Var {
 public:
  Var() = default;
  explicit Var(T value) : value_(value) {}
  T Get() {
    race_.Read();
    return value_;
  }
  void Set(T value) {
    race_.Write();
    value_ = value;
  }

 private:
  T value_{};
  RaceDetector race_;
};

}  // namespace gort::rt::model

#endif  // GORT_TESTS_MODEL_MODEL_H_
