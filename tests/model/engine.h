// tests/model/engine.h: the threads of an execution and the order in which they take their steps.
// What      the inside of tests/model/model.h.
#ifndef GORT_TESTS_MODEL_ENGINE_H_
#define GORT_TESTS_MODEL_ENGINE_H_

#include <ucontext.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/model/choices.h"
#include "tests/model/clock.h"
#include "tests/model/memory.h"
#include "tests/model/model.h"
#include "tests/model/model_atomic.h"

namespace gort::rt::model {

class Engine {
 public:
  Engine(const Options& options, const std::function<void()>& body);
  Result Explore();

  // The engine whose execution is going on. Aborts if there is none.
  static Engine& Current();

  // A scheduling point: another thread may go first. False: the thread is being unwound and must
  // have no effect.
  bool Point();
  // The calling thread goes on when *ready, others do until then.
  void Block(const bool* ready);
  void Spawn(std::function<void()> body);
  void JoinAll();
  // Notes a failure. Returns only if the execution may still turn out to be void.
  void NoteFailure(const std::string& text);
  [[noreturn]] void EndThread();

  uint32_t Locate(Cell* cell, uint64_t initial);
  // After a step of memory.
  void StepDone(const Cell& cell, const char* what, uint64_t value, std::memory_order order);
  // A line of the trace that is no access.
  void Note(const char* what);

  Memory& memory() { return memory_; }
  Clock& clock() { return threads_[current_].clock; }
  int current() const { return current_; }

 private:
  struct Unwind {};
  enum class State { kRunning, kWaiting, kDone };
  struct Thread {
    ucontext_t context = {};
    std::unique_ptr<char[]> stack;
    std::function<void()> body;
    State state = State::kDone;
    const bool* ready = nullptr;
    Clock clock;
  };

  void RunOnce();
  void Start(int thread, std::function<void()> body);
  static void Trampoline();
  void ThreadMain();
  bool Enabled(const Thread& t) const;
  // The thread that takes the next step; -1: none can.
  int Pick();
  void SwitchTo(int thread);
  void NoteDeadlock();
  bool Aborting() const { return aborting_; }

  const Options options_;
  const std::function<void()> body_;
  Choices choices_;
  Memory memory_;
  Thread threads_[kMaxThreads];
  int n_threads_ = 0;
  int current_ = 0;
  int preemptions_ = 0;
  int steps_ = 0;
  uint64_t execution_ = 0;
  bool others_done_ = false;
  bool aborting_ = false;
  bool tracing_ = false;
  ucontext_t explorer_ = {};
  std::string failure_;
  std::string trace_;
};

}  // namespace gort::rt::model

#endif  // GORT_TESTS_MODEL_ENGINE_H_
