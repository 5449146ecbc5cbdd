// tests/model/engine.h: the threads of an execution and the order in which they take their steps.
// What      the inside of tests/model/model.h.
// Reduction Without a bound on pre-emptions, of all orders of independent steps (different objects,
//           or two loads) one is enough: once a thread's next step has been tried first, the thread
//           sleeps in the siblings until a step that depends on its own is taken (Godefroid's sleep
//           sets). With a bound they would leave out too much, so all orders are tried.
#ifndef GORT_TESTS_MODEL_ENGINE_H_
#define GORT_TESTS_MODEL_ENGINE_H_

#include <ucontext.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gort/tests/model/choices.h"
#include "gort/tests/model/clock.h"
#include "gort/tests/model/memory.h"
#include "gort/tests/model/model.h"
#include "gort/tests/model/model_atomic.h"

namespace gort::rt::model {

// A thread's next step.
struct Step {
  const void* object = nullptr;
  bool load = false;
  bool seq_cst = false;

  bool Depends(const Step& other) const {
    if (object != other.object) return false;
    return !load || !other.load || (seq_cst && other.seq_cst);
  }
};

class Engine {
 public:
  Engine(const Options& options, const std::function<void()>& body);
  Result Explore();

  // The engine whose execution is going on. Aborts if there is none.
  static Engine& Current();

  // A scheduling point before a step that can be taken when *ready (null: always); other threads
  // may go first. False: the thread is being unwound and must have no effect.
  bool Point(const Step& step, const bool* ready = nullptr);
  void Spawn(std::function<void()> body, bool daemon);
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
  enum class State { kAlive, kDone };
  struct Thread {
    ucontext_t context = {};
    std::unique_ptr<char[]> stack;
    std::function<void()> body;
    State state = State::kDone;
    bool daemon = false;
    const bool* ready = nullptr;
    Step step;
    Clock clock;
  };

  void RunOnce();
  void Start(int thread, std::function<void()> body);
  static void Trampoline();
  void ThreadMain();
  bool Enabled(const Thread& t) const;
  // The thread that takes the next step; -1: none can, or the execution repeats another.
  int Pick();
  // Chooses among candidates[0..n) and lets those before the chosen one sleep.
  int PickAwake(const int* candidates, int n);
  void SwitchTo(int thread);
  void NoteDeadlock();
  bool Reduces() const { return options_.max_preemptions < 0; }

  const Options options_;
  const std::function<void()> body_;
  Choices choices_;
  Memory memory_;
  Thread threads_[kMaxThreads];
  int n_threads_ = 0;
  int current_ = 0;
  int preemptions_ = 0;
  int steps_ = 0;
  uint32_t asleep_ = 0;   // bit t: thread t's next step was tried before
  bool repeats_ = false;  // all threads that could go on are asleep
  int parent_ = -1;       // who waits for the new thread to reach its first step
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
