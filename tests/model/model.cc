#include "gort/tests/model/model.h"

#include <utility>

#include "gort/tests/model/engine.h"
#include "gort/tests/model/model_atomic.h"

namespace gort::rt::model {

Result Explore(const Options& options, const std::function<void()>& body) {
  return Engine(options, body).Explore();
}

void Spawn(std::function<void()> body) { Engine::Current().Spawn(std::move(body), false); }

void SpawnDaemon(std::function<void()> body) { Engine::Current().Spawn(std::move(body), true); }

void JoinAll() { Engine::Current().JoinAll(); }

void Check(bool cond, const char* text) {
  if (!cond) Engine::Current().NoteFailure(text);
}

void Fail(const char* text) {
  Engine& engine = Engine::Current();
  engine.NoteFailure(text);
  engine.EndThread();
}

void Setup(bool on) { Engine::Current().SetSetup(on); }

uint32_t Choose(uint32_t n) { return Engine::Current().Choose(n); }

void OnRest(std::function<const char*()> hook) { Engine::Current().SetRestHook(std::move(hook)); }

void StepOn(const void* object) {
  if (Engine::Current().Point({object})) Engine::Current().ObjectStepDone(object);
}

void Note(const char* text) { Engine::Current().Note(text); }

bool CallUntilOver(const std::function<void()>& f) { return Engine::Current().CallUntilOver(f); }

void LeaveIfOver() { Engine::Current().LeaveIfOver(); }

void Event::Signal() {
  Engine& engine = Engine::Current();
  if (!engine.Point({this})) return;
  engine.Note("signals");
  engine.ObjectStepDone(this);
  engine.clock().at[engine.current()]++;
  clock_.Join(engine.clock());
  set_ = true;
}

void Event::Wait() {
  Engine& engine = Engine::Current();
  if (!engine.Point({this}, &set_)) return;
  engine.Note("is woken");
  engine.ObjectStepDone(this);
  engine.clock().Join(clock_);
  set_ = false;
}

void Lock::Acquire() {
  Engine& engine = Engine::Current();
  if (!engine.Point({this}, &free_)) return;
  engine.Note("locks");
  engine.ObjectStepDone(this);
  engine.clock().Join(clock_);
  free_ = false;
}

void Lock::Release() {
  Engine& engine = Engine::Current();
  if (!engine.Point({this})) return;
  engine.Note("unlocks");
  engine.ObjectStepDone(this);
  engine.clock().at[engine.current()]++;
  clock_ = engine.clock();
  free_ = true;
}

void Lock::ReleaseAtOnce() {
  Engine& engine = Engine::Current();
  if (std::uncaught_exceptions() == 0) engine.Note("unlocks");
  engine.clock().at[engine.current()]++;
  clock_ = engine.clock();
  free_ = true;
}

void RaceDetector::Read() {
  Engine& engine = Engine::Current();
  Clock& clock = engine.clock();
  const int self = engine.current();
  reads_.at[self] = ++clock.at[self];
  if (writer_ >= 0 && !clock.Covers(writer_, write_time_)) {
    engine.NoteFailure("data race: read against write");
  }
}

void RaceDetector::Write() {
  Engine& engine = Engine::Current();
  Clock& clock = engine.clock();
  const int self = engine.current();
  clock.at[self]++;
  if (writer_ >= 0 && !clock.Covers(writer_, write_time_)) {
    engine.NoteFailure("data race: write against write");
  }
  for (int t = 0; t < kMaxThreads; t++) {
    if (!clock.Covers(t, reads_.at[t])) engine.NoteFailure("data race: write against read");
  }
  writer_ = self;
  write_time_ = clock.at[self];
  reads_ = {};
}

uint64_t CellPeek(Cell* cell, uint64_t initial) {
  Engine& engine = Engine::Current();
  return engine.memory().Newest(engine.Locate(cell, initial));
}

uint64_t CellLoad(Cell* cell, uint64_t initial, std::memory_order order) {
  Engine& engine = Engine::Current();
  if (!engine.Point({cell, true, order == std::memory_order_seq_cst})) return initial;
  const uint32_t location = engine.Locate(cell, initial);
  const uint64_t value = engine.memory().Load(location, engine.current(), &engine.clock(), order);
  engine.StepDone(*cell, "load", value, order);
  return value;
}

void CellStore(Cell* cell, uint64_t initial, uint64_t value, std::memory_order order) {
  Engine& engine = Engine::Current();
  if (!engine.Point({cell})) return;
  const uint32_t location = engine.Locate(cell, initial);
  engine.memory().Store(location, engine.current(), &engine.clock(), value, order);
  engine.StepDone(*cell, "store", value, order);
}

uint64_t CellRmwBegin(Cell* cell, uint64_t initial) {
  Engine& engine = Engine::Current();
  if (!engine.Point({cell})) return initial;
  return engine.memory().Newest(engine.Locate(cell, initial));
}

void CellRmwStore(Cell* cell, uint64_t value, std::memory_order order) {
  Engine& engine = Engine::Current();
  if (std::uncaught_exceptions() > 0) return;
  engine.memory().RmwStore(cell->location, engine.current(), &engine.clock(), value, order);
  engine.StepDone(*cell, "rmw", value, order);
}

void CellRmwFail(Cell* cell, std::memory_order order) {
  Engine& engine = Engine::Current();
  if (std::uncaught_exceptions() > 0) return;
  engine.memory().RmwFail(cell->location, engine.current(), &engine.clock(), order);
  engine.StepDone(*cell, "cas fail", engine.memory().Newest(cell->location), order);
}

}  // namespace gort::rt::model
