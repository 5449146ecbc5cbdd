#include "gort/tests/model/engine.h"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

namespace gort::rt::model {
namespace {

constexpr size_t kStackBytes = 256 << 10;
constexpr int kMaxSteps = 5000;  // of one execution; more: it does not end

Engine* current_engine;
uint64_t next_execution = 1;  // over all engines, so that no Cell is taken for another's

const char* OrderName(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return "relaxed";
    case std::memory_order_consume:
    case std::memory_order_acquire:
      return "acquire";
    case std::memory_order_release:
      return "release";
    case std::memory_order_acq_rel:
      return "acq_rel";
    case std::memory_order_seq_cst:
      break;
  }
  return "seq_cst";
}

// A hash of both.
uint64_t Mix(uint64_t a, uint64_t b) {
  const unsigned __int128 m =
      static_cast<unsigned __int128>(a ^ 0xa0761d6478bd642fULL) * (b ^ 0xe7037ed1a0b428dbULL);
  uint64_t h = static_cast<uint64_t>(m >> 64) ^ static_cast<uint64_t>(m);
  h ^= h >> 32;
  h *= 0x9e3779b97f4a7c15ULL;
  return h ^ (h >> 29);
}

}  // namespace

Engine::Engine(const Options& options, const std::function<void()>& body)
    : options_(options),
      body_(body),
      memory_(&choices_, options.max_stale_reads, options.future_reads) {
  for (Thread& t : threads_) t.stack = std::make_unique<char[]>(kStackBytes);
}

Engine& Engine::Current() {
  if (current_engine == nullptr) {
    fprintf(stderr, "model: an access outside Explore\n");
    abort();
  }
  return *current_engine;
}

Result Engine::Explore() {
  Result result;
  Engine* outer = std::exchange(current_engine, this);
  choices_.Clear(options_.replay);
  do {
    RunOnce();
    result.executions++;
    if (std::exchange(newly_shared_, false)) {
      choices_.Clear({});
      visited_.clear();
      continue;
    }
    if (memory_.Open() || memory_.Void() || repeats_) {
      result.cut_executions++;
    } else if (!failure_.empty()) {
      result.ok = false;
      result.schedule = choices_.ToString();
      tracing_ = true;
      RunOnce();
      result.failure = failure_;
      result.trace = trace_;
      break;
    }
    if (!options_.replay.empty()) break;
    result.complete = !choices_.Advance();
  } while (!result.complete && result.executions < options_.max_executions);
  current_engine = outer;
  result.states = visited_.size();
  return result;
}

void Engine::RunOnce() {
  execution_ = next_execution++;
  choices_.Begin();
  memory_.Reset();
  n_threads_ = preemptions_ = steps_ = 0;
  asleep_ = 0;
  parent_ = -1;
  others_done_ = true;
  aborting_ = repeats_ = setup_ = false;
  failure_.clear();
  trace_.clear();
  object_history_.clear();
  for (auto& stores : store_history_) stores.clear();
  if (options_.thread_word != nullptr) *options_.thread_word = nullptr;
  Start(0, body_);
  n_threads_ = 1;
  current_ = 0;
  swapcontext(&explorer_, &threads_[0].context);
  // Whoever is left over is unwound, so that its objects are destroyed.
  aborting_ = true;
  // The body last: the others may use what is on its stack.
  for (int i = n_threads_; i-- > 0;) {
    if (threads_[i].state == State::kDone) continue;
    Become(i);
    swapcontext(&explorer_, &threads_[i].context);
  }
  rest_hook_ = nullptr;
}

void Engine::Start(int thread, std::function<void()> body) {
  Thread& t = threads_[thread];
  t.body = std::move(body);
  t.state = State::kAlive;
  t.ready = nullptr;
  t.word = nullptr;
  t.history = thread == 0 ? 1 : Mix(threads_[current_].history, static_cast<uint64_t>(thread));
  t.clock = thread == 0 ? Clock{} : clock();
  getcontext(&t.context);
  t.context.uc_stack.ss_sp = t.stack.get();
  t.context.uc_stack.ss_size = kStackBytes;
  t.context.uc_link = nullptr;
  makecontext(&t.context, &Engine::Trampoline, 0);
}

void Engine::Trampoline() { current_engine->ThreadMain(); }

void Engine::ThreadMain() {
  Thread& t = threads_[current_];
  try {
    if (!aborting_) t.body();
  } catch (const Unwind&) {
  }
  t.body = nullptr;
  t.state = State::kDone;
  others_done_ = true;
  for (int i = 1; i < n_threads_; i++) {
    if (threads_[i].state != State::kDone && !threads_[i].daemon) others_done_ = false;
  }
  if (parent_ >= 0) {  // it took no step
    Become(std::exchange(parent_, -1));
    setcontext(&threads_[current_].context);
  }
  if (current_ == 0) setcontext(&explorer_);  // the body is over
  const int next = aborting_ ? -1 : Pick();
  if (next >= 0) {
    Become(next);
    setcontext(&threads_[next].context);
  }
  if (!aborting_) NoteDeadlock();
  setcontext(&explorer_);
}

bool Engine::Enabled(const Thread& t) const {
  return t.state != State::kDone && (t.ready == nullptr || *t.ready);
}

int Engine::Candidates(int* candidates) const {
  int n = 0;
  const bool current_enabled = Enabled(threads_[current_]);
  if (current_enabled) candidates[n++] = current_;
  if (current_enabled && setup_) return n;
  if (!current_enabled || MayPreempt()) {
    for (int i = 0; i < n_threads_; i++) {
      if (i != current_ && Enabled(threads_[i])) candidates[n++] = i;
    }
  }
  return n;
}

int Engine::Pick() {
  int candidates[kMaxThreads];
  int n = Candidates(candidates);
  if (n == 0 && rest_hook_ != nullptr) {
    if (const char* wrong = rest_hook_(); wrong != nullptr) {
      if (failure_.empty()) failure_ = wrong;
      return -1;
    }
    RememberRest();
    n = Candidates(candidates);
  }
  if (n == 0) return -1;
  if (Reduces()) return PickAwake(candidates, n);
  if (options_.cache_states && !setup_ && !tracing_ && choices_.AtEnd() && BeenHere()) {
    repeats_ = true;
    return -1;
  }
  const int next = candidates[choices_.Choose(n)];
  if (candidates[0] == current_ && next != current_) preemptions_++;
  return next;
}

int Engine::PickAwake(const int* candidates, int n) {
  int awake[kMaxThreads];
  int n_awake = 0;
  for (int i = 0; i < n; i++) {
    if ((asleep_ >> candidates[i] & 1) == 0) awake[n_awake++] = candidates[i];
  }
  if (n_awake == 0) {
    repeats_ = true;
    return -1;
  }
  const uint32_t chosen = choices_.Choose(n_awake);
  for (uint32_t i = 0; i < chosen; i++) asleep_ |= 1u << awake[i];
  const Step& step = threads_[awake[chosen]].step;
  for (int t = 0; t < n_threads_; t++) {
    if (threads_[t].step.Depends(step)) asleep_ &= ~(1u << t);
  }
  return awake[chosen];
}

void Engine::SwitchTo(int thread) {
  Thread& from = threads_[current_];
  Become(thread);
  swapcontext(&from.context, &threads_[thread].context);
}

bool Engine::IsShared(const Step& step) {
  if (!options_.only_shared || Reduces() || setup_) return true;
  Use& use = uses_[step.object];
  if (use.Shared()) return true;
  (step.load ? use.readers : use.writers) |= 1u << current_;
  if (!use.Shared()) return false;
  newly_shared_ = true;
  return true;
}

void Engine::Remember(uint64_t what, uint64_t more) {
  uint64_t& history = threads_[current_].history;
  history = Mix(history, Mix(what, more));
}

bool Engine::BeenHere() {
  uint64_t state = 0;
  for (int i = 0; i < n_threads_; i++) state += Mix(threads_[i].history, static_cast<uint64_t>(i));
  int left = 0;
  if (options_.max_preemptions >= 0) {
    state = Mix(state, static_cast<uint64_t>(current_));
    left = preemptions_;
  }
  const auto [at, inserted] = visited_.try_emplace(state, left);
  if (inserted) return false;
  if (at->second <= left) return true;
  at->second = left;
  return false;
}

void Engine::RememberRest() {
  for (int i = 0; i < n_threads_; i++) threads_[i].history = Mix(threads_[i].history, 2);
}

void Engine::ObjectStepDone(const void* object) {
  uint64_t& history = object_history_[object];
  Remember(reinterpret_cast<uintptr_t>(object), history);
  history = threads_[current_].history;
}

uint32_t Engine::Choose(uint32_t n) {
  const uint32_t chosen = choices_.Choose(n);
  Remember(3, chosen);
  return chosen;
}

void Engine::Become(int thread) {
  if (options_.thread_word != nullptr) {
    threads_[current_].word = *options_.thread_word;
    *options_.thread_word = threads_[thread].word;
  }
  current_ = thread;
}

bool Engine::CallUntilOver(const std::function<void()>& f) {
  try {
    f();
  } catch (const Unwind&) {
    return false;
  }
  return true;
}

void Engine::LeaveIfOver() {
  if (aborting_) throw Unwind{};
}

bool Engine::Point(const Step& step, const bool* ready) {
  if (std::uncaught_exceptions() > 0) return false;
  if (memory_.Void()) aborting_ = true;
  if (aborting_) throw Unwind{};
  if (++steps_ > kMaxSteps) {
    NoteFailure("the execution does not end");
    EndThread();
  }
  if ((ready == nullptr || *ready) && !IsShared(step)) return true;
  Thread& t = threads_[current_];
  t.step = step;
  t.ready = ready;
  if (parent_ >= 0) {
    SwitchTo(std::exchange(parent_, -1));
  } else {
    const int next = Pick();
    if (next < 0) {
      NoteDeadlock();
      aborting_ = true;
      throw Unwind{};
    }
    if (next != current_) SwitchTo(next);
  }
  if (aborting_) throw Unwind{};
  t.ready = nullptr;
  return true;
}

void Engine::Spawn(std::function<void()> body, bool daemon) {
  if (n_threads_ == kMaxThreads) abort();
  clock().at[current_]++;
  const int thread = n_threads_++;
  Start(thread, std::move(body));
  threads_[thread].daemon = daemon;
  others_done_ = others_done_ && daemon;
  clock().at[current_]++;  // what the parent does from here on is not ordered
  Remember(4, static_cast<uint64_t>(thread));
  // Up to its first step it can affect nobody.
  parent_ = current_;
  SwitchTo(thread);
  if (aborting_) throw Unwind{};
}

void Engine::JoinAll() {
  if (!Point({&others_done_}, &others_done_)) return;
  for (int i = 1; i < n_threads_; i++) {
    if (!threads_[i].daemon) clock().Join(threads_[i].clock);
  }
}

void Engine::NoteDeadlock() {
  if (repeats_) return;
  std::string text = "deadlock: waiting for ever:";
  bool any = false;
  for (int i = 0; i < n_threads_; i++) {
    if (threads_[i].state == State::kDone) continue;
    text += " T" + std::to_string(i);
    any = true;
  }
  if (any && failure_.empty()) failure_ = text;
}

void Engine::NoteFailure(const std::string& text) {
  // Once the execution is over its state means nothing any more.
  if (aborting_ && std::uncaught_exceptions() == 0) throw Unwind{};
  if (aborting_) return;
  if (failure_.empty()) failure_ = text;
  if (tracing_) trace_ += "T" + std::to_string(current_) + " FAILURE: " + text + "\n";
  if (memory_.Open()) return;
  aborting_ = true;
  parent_ = -1;
  throw Unwind{};
}

void Engine::EndThread() { throw Unwind{}; }

uint32_t Engine::Locate(Cell* cell, uint64_t initial) {
  if (cell->execution != execution_) {
    cell->execution = execution_;
    cell->location = memory_.Add(initial);
  }
  return cell->location;
}

void Engine::RememberAccess(const Cell& cell, bool load) {
  if (store_history_.size() <= cell.location) store_history_.resize(cell.location + 1);
  std::vector<uint64_t>& stores = store_history_[cell.location];
  if (stores.empty()) stores.push_back(reinterpret_cast<uintptr_t>(&cell));
  if (load) {
    Remember(stores[memory_.loaded_index()], memory_.loaded_old() ? 5 : 6);
    return;
  }
  Remember(stores.back(), 7);
  // A failed compare-and-swap has stored nothing.
  if (stores.size() < memory_.Stores(cell.location)) stores.push_back(threads_[current_].history);
}

void Engine::StepDone(const Cell& cell, const char* what, uint64_t value, std::memory_order order) {
  if (options_.cache_states) RememberAccess(cell, what[0] == 'l');
  if (!tracing_) return;
  char line[160];
  char number[16];
  snprintf(number, sizeof number, "#%u", cell.location);
  snprintf(line, sizeof line, "T%d %-8s %-12s %#" PRIx64 " (%s%s)\n", current_, what,
           cell.name != nullptr ? cell.name : number, value, OrderName(order),
           what[0] == 'l' ? memory_.Remark() : "");
  trace_ += line;
}

void Engine::Note(const char* what) {
  if (tracing_) trace_ += "T" + std::to_string(current_) + " " + what + "\n";
}

}  // namespace gort::rt::model
