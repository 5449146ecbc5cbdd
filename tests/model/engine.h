// tests/model/engine.h: the threads of an execution and the order in which they take their steps.
// What      the inside of tests/model/model.h.
// Reduction Without a bound on pre-emptions, of all orders of independent steps (different objects,
//           or two loads) one is enough: once a thread's next step has been tried first, the thread
//           sleeps in the siblings until a step that depends on its own is taken (Godefroid's sleep
//           sets). With a bound they would leave out too much, so all orders are tried. With
//           options.only_shared a step on an object that only one thread uses, or nobody changes, is
//           no place to switch: a switch there does what one before the next shared step would. Which
//           objects are shared is learnt on the way, by address; when there is one more, the search
//           starts again.
// Cache     With options.cache_states an execution ends where another one has been. A state is known
//           by a hash of what each thread has seen: which stores its loads returned, and which of
//           the others' steps on an object came before its own. Executions that differ in the order
//           of independent steps only are thus one. Everything that threads share must be steps;
//           what is guarded by a lock is.
#ifndef GORT_TESTS_MODEL_ENGINE_H_
#define GORT_TESTS_MODEL_ENGINE_H_

#include <ucontext.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
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
  uint32_t Choose(uint32_t n);
  void SetSetup(bool on) { setup_ = on; }
  void SetRestHook(std::function<const char*()> hook) { rest_hook_ = std::move(hook); }
  bool CallUntilOver(const std::function<void()>& f);
  void LeaveIfOver();
  // After a step of memory.
  void StepDone(const Cell& cell, const char* what, uint64_t value, std::memory_order order);
  // After a step of another kind, by which the object changed.
  void ObjectStepDone(const void* object);
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
    void* word = nullptr;  // of Options::thread_word, while another thread runs
    const bool* ready = nullptr;
    Step step;
    Clock clock;
    uint64_t history = 0;  // hash of its steps and what they saw
  };

  // Who used an object in any execution so far, setting up not included.
  struct Use {
    uint32_t readers = 0;  // bit t: thread t
    uint32_t writers = 0;
    bool Shared() const {
      const uint32_t all = readers | writers;
      return writers != 0 && (all & (all - 1)) != 0;
    }
  };

  // Notes a step of the current thread; false: nobody else can see it, nor it somebody else.
  bool IsShared(const Step& step);
  void RunOnce();
  void Start(int thread, std::function<void()> body);
  static void Trampoline();
  void ThreadMain();
  bool Enabled(const Thread& t) const;
  // The threads that may take the next step, the current one first; returns how many.
  int Candidates(int* candidates) const;
  // The thread that takes the next step; -1: none can, or the execution repeats another.
  int Pick();
  // Chooses among candidates[0..n) and lets those before the chosen one sleep.
  int PickAwake(const int* candidates, int n);
  void SwitchTo(int thread);
  // Makes `thread` the current one, without going to its stack.
  void Become(int thread);
  void NoteDeadlock();
  bool Reduces() const { return options_.max_preemptions < 0 && !options_.cache_states; }
  bool MayPreempt() const {
    return options_.max_preemptions < 0 || preemptions_ < options_.max_preemptions;
  }
  // Adds a step to the current thread's history.
  void Remember(uint64_t what, uint64_t more);
  void RememberAccess(const Cell& cell, bool load);
  // The threads have a choice: an execution was here before that had as many pre-emptions left.
  bool BeenHere();
  // All threads rest, and somebody may have been let go.
  void RememberRest();

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
  std::unordered_map<const void*, Use> uses_;
  std::unordered_map<uint64_t, int> visited_;  // with how many pre-emptions
  std::unordered_map<const void*, uint64_t> object_history_;
  std::vector<std::vector<uint64_t>> store_history_;  // by location, then store
  bool newly_shared_ = false;                         // since the search started
  bool setup_ = false;                                // the current thread goes on while it can
  bool aborting_ = false;
  bool tracing_ = false;
  ucontext_t explorer_ = {};
  std::function<const char*()> rest_hook_;
  std::string failure_;
  std::string trace_;
};

}  // namespace gort::rt::model

#endif  // GORT_TESTS_MODEL_ENGINE_H_
