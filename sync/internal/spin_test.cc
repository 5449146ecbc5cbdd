// When a goroutine that wants a lock may spin: each condition alone, on one thread with made-up
// counts.
#include "gort/sync/internal/spin.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>

#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"

namespace gort::rt {
namespace {

struct State {
  int round = 0;
  int32_t cpus = 4;
  int32_t procs = 4;
  int32_t idle = 1;
  int32_t looking = 1;  // Ms that look for work
  bool next = false;    // a goroutine in this P's runnext
  bool queued = false;  // and in its queue
  bool has_p = true;    // false: a foreign thread
};

bool Spins(const State& s) {
  G g;
  M m;
  P p;
  g.goid = 7;
  g.m = &m;
  if (s.has_p) m.p = &p;
  G waiting;
  if (s.next) p.runq.runnext = &waiting;
  if (s.queued) p.runq.tail = p.runq.head + 1;
  ncpu = s.cpus;
  gomaxprocs = s.procs;
  sched.npidle = s.idle;
  sched.nmspinning = s.looking;
  Setg(&g);
  const bool spins = CanSpin(s.round);
  Setg(nullptr);
  EXPECT_EQ(m.locks, 0);
  ncpu = 0;
  gomaxprocs = 0;
  sched.npidle = 0;
  sched.nmspinning = 0;
  return spins;
}

TEST(CanSpin, EachConditionAlone) {
  struct Case {
    const char* what;
    State state;
    bool spins;
  };
  const Case cases[] = {
      {"nothing against it", {}, true},
      {"the last round", {.round = 3}, true},
      {"too often", {.round = 4}, false},
      {"one CPU", {.cpus = 1}, false},
      {"two CPUs", {.cpus = 2}, true},
      {"one P", {.procs = 1, .idle = 0, .looking = 0}, false},
      {"no other P is busy: idle", {.idle = 3, .looking = 0}, false},
      {"no other P is busy: looking for work", {.idle = 0, .looking = 3}, false},
      {"one other P is busy", {.idle = 2, .looking = 0}, true},
      {"a goroutine is next here", {.next = true}, false},
      {"a goroutine is queued here", {.queued = true}, false},
      {"a foreign thread has no queue", {.has_p = false}, true},
  };
  for (const Case& c : cases) EXPECT_EQ(Spins(c.state), c.spins) << c.what;
}

}  // namespace
}  // namespace gort::rt
