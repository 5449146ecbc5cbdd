#include "gort/tests/model/runq_scenarios.h"

#include <initializer_list>

#include "gort/base/atomics.h"
#include "gort/gmp/g.h"
#include "gort/gmp/glist.h"
#include "gort/gmp/p.h"
#include "gort/proc/runq.h"
#include "gort/tests/model/model.h"

namespace gort::rt {

bool (*runq_empty)(const P* pp) = &RunqEmpty;

namespace {

using model::Check;
using model::JoinAll;
using model::Spawn;

static_assert(kRunqSize == 4);
constexpr int kGs = 8;

// The state of one execution: an owner, two thieves and Gs that count how often they were taken.
class World {
 public:
  World() {
    SetNames(&a, "a.head", "a.tail", "a.next", "a.slot");
    SetNames(&b, "b.head", "b.tail", "b.next", "b.slot");
    SetNames(&c, "c.head", "c.tail", "c.next", "c.slot");
  }

  void Put(P* pp, int g, bool next = false) {
    gs_[g].written.Set(true);
    RunqBatch batch;
    G* rest = RunqPut(pp, &gs_[g].g, next);
    while (rest != nullptr && !RunqSpill(pp, rest, &batch)) rest = RunqPut(pp, rest, false);
    if (rest != nullptr) {
      Check(batch.end - batch.first == kRunqSize / 2 + 1, "size of the overflow");
      while (batch.first != batch.end) Take(batch.g[batch.first++]);
    }
    gs_[g].put = true;
  }
  void PutAll(P* pp, std::initializer_list<int> gs) {
    for (int g : gs) Put(pp, g);
  }
  bool Get(P* pp) {
    bool inherit_time;
    return Take(RunqGet(pp, &inherit_time));
  }
  bool Steal(P* thief, P* victim, bool runnext = true) {
    return Take(RunqSteal(thief, victim, runnext));
  }
  int PutBatch(P* pp, std::initializer_list<int> gs) {
    GQueue batch;
    for (int g : gs) {
      gs_[g].written.Set(true);
      gs_[g].put = true;
      batch.PushBack(&gs_[g].g);
    }
    const int moved = RunqPutBatch(pp, &batch, static_cast<int32_t>(gs.size()));
    while (G* gp = batch.Pop()) Take(gp);
    return moved;
  }

  // The end: what nobody took is still there, and everything was taken once.
  void Finish() {
    JoinAll();
    for (P* pp : {&a, &b, &c}) {
      while (Get(pp)) {
      }
      Check(RunqEmpty(pp), "empty after all was taken");
    }
    for (TestG& g : gs_) Check(g.taken.Get() == (g.put ? 1 : 0), "a G was lost");
  }

  P a, b, c;

 private:
  struct TestG {
    G g;
    model::Var<bool> written{false};
    model::Var<int> taken{0};
    bool put = false;
  };

  static void SetNames(P* pp, const char* head, const char* tail, const char* next,
                       const char* slot) {
    pp->runq.head.SetName(head);
    pp->runq.tail.SetName(tail);
    pp->runq.runnext.SetName(next);
    for (Atomic<G*>& s : pp->runq.ring) s.SetName(slot);
  }

  // A null stands for "nothing found".
  bool Take(G* gp) {
    if (gp == nullptr) return false;
    for (TestG& g : gs_) {
      if (&g.g != gp) continue;
      Check(g.written.Get(), "the G's contents arrive with it");
      Check(g.taken.Get() == 0, "a G was taken twice");
      g.taken.Set(g.taken.Get() + 1);
    }
    return true;
  }

  TestG gs_[kGs];
};

void OneThief() {
  World w;
  Spawn([&] {
    w.PutAll(&w.a, {0, 1});
    w.Get(&w.a);
  });
  Spawn([&] {
    w.Steal(&w.b, &w.a);
    w.Get(&w.b);
  });
  w.Finish();
}

void TwoThieves() {
  World w;
  w.PutAll(&w.a, {0, 1});
  Spawn([&] {
    w.Put(&w.a, 2);
    w.Get(&w.a);
  });
  Spawn([&] { w.Steal(&w.b, &w.a); });
  Spawn([&] { w.Steal(&w.c, &w.a); });
  w.Finish();
}

void StolenFromTheThief() {
  World w;
  w.PutAll(&w.a, {0, 1, 2});
  Spawn([&] { w.Put(&w.a, 3); });
  Spawn([&] { w.Steal(&w.b, &w.a); });
  Spawn([&] { w.Steal(&w.c, &w.b); });
  w.Finish();
}

void SlotsAreReused() {
  World w;
  w.PutAll(&w.a, {0, 1, 2});
  Spawn([&] {
    w.Get(&w.a);
    w.PutAll(&w.a, {3, 4});
  });
  Spawn([&] { w.Steal(&w.b, &w.a); });
  w.Finish();
}

void Overflow() {
  World w;
  w.PutAll(&w.a, {0, 1, 2, 3});
  Spawn([&] { w.PutAll(&w.a, {4, 5}); });
  Spawn([&] { w.Steal(&w.b, &w.a); });
  w.Finish();
}

void OverflowTwoThieves() {
  World w;
  w.PutAll(&w.a, {0, 1, 2, 3});
  Spawn([&] { w.Put(&w.a, 4); });
  Spawn([&] { w.Steal(&w.b, &w.a); });
  Spawn([&] { w.Steal(&w.c, &w.a); });
  w.Finish();
}

void Batch() {
  World w;
  w.PutAll(&w.a, {0, 1, 2});
  Spawn([&] { Check(w.PutBatch(&w.a, {3, 4, 5}) >= 1, "there was room for one"); });
  Spawn([&] { w.Steal(&w.b, &w.a); });
  w.Finish();
}

void Runnext() {
  World w;
  Spawn([&] {
    w.Put(&w.a, 0, true);
    w.Put(&w.a, 1, true);
    w.Get(&w.a);
  });
  Spawn([&] { w.Steal(&w.b, &w.a); });
  w.Finish();
}

void RunnextTwoThieves() {
  World w;
  w.Put(&w.a, 0, true);
  Spawn([&] { w.Put(&w.a, 1, true); });
  Spawn([&] { w.Steal(&w.b, &w.a); });
  Spawn([&] { w.Steal(&w.c, &w.a); });
  w.Finish();
}

void RunnextBetweenOwnerAndThieves() {
  World w;
  w.Put(&w.a, 0, true);
  Spawn([&] {
    w.Get(&w.a);
    w.Put(&w.a, 1, true);
  });
  Spawn([&] { w.Steal(&w.b, &w.a); });
  Spawn([&] { w.Steal(&w.c, &w.a); });
  w.Finish();
}

// The queue is never empty: G 0 moves from runnext to the ring while G 1 comes and goes.
void NotEmptyWhileRunnextMoves() {
  World w;
  w.Put(&w.a, 0, true);
  Spawn([&] {
    w.Put(&w.a, 1, true);
    w.Get(&w.a);
  });
  Spawn([&] { Check(!runq_empty(&w.a), "RunqEmpty of a queue that is never empty"); });
  w.Finish();
}

void NotEmptyWhileTheRingTurns() {
  World w;
  w.Put(&w.a, 0);
  Spawn([&] {
    w.Put(&w.a, 1);
    w.Get(&w.a);
  });
  Spawn([&] { Check(!runq_empty(&w.a), "RunqEmpty of a queue that is never empty"); });
  w.Finish();
}

// Submitter and parker: at least one of them sees what the other did.
void Publish(bool next) {
  World w;
  Atomic<int> nmspinning{1};
  nmspinning.SetName("nmspinning");
  bool submitter_saw_spinning = false;
  bool parker_saw_empty = false;
  Spawn([&] {
    w.Put(&w.a, 0, next);
    if (!next) RunqPublish(&w.a);
    submitter_saw_spinning = nmspinning.load() != 0;
  });
  Spawn([&] {
    nmspinning.fetch_sub(1);
    parker_saw_empty = runq_empty(&w.a);
  });
  JoinAll();
  Check(!submitter_saw_spinning || !parker_saw_empty, "a lost wake-up");
  w.Finish();
}

}  // namespace

const std::vector<RunqScenario>& RunqScenarios() {
  static const auto* const scenarios = new std::vector<RunqScenario>{
      {"OneThief", OneThief},
      {"TwoThieves", TwoThieves},
      {"StolenFromTheThief", StolenFromTheThief},
      {"SlotsAreReused", SlotsAreReused},
      {"Overflow", Overflow},
      {"OverflowTwoThieves", OverflowTwoThieves},
      {"Batch", Batch},
      {"Runnext", Runnext},
      {"RunnextTwoThieves", RunnextTwoThieves},
      {"RunnextBetweenOwnerAndThieves", RunnextBetweenOwnerAndThieves},
      {"NotEmptyWhileRunnextMoves", NotEmptyWhileRunnextMoves},
      {"NotEmptyWhileTheRingTurns", NotEmptyWhileTheRingTurns},
      {"PublishRing", [] { Publish(false); }},
      {"PublishRunnext", [] { Publish(true); }},
  };
  return *scenarios;
}

}  // namespace gort::rt
