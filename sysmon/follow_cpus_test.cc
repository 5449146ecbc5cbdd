// sysmon/follow_cpus_test.cc: when GOMAXPROCS follows the CPUs.
#include "gort/sysmon/follow_cpus.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "gort/gmp/sched.h"
#include "gort/proc/monitor.h"
#include "gort/proc/testing/world.h"

namespace gort::rt::testing {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

// One story: what FollowCpus remembers it remembers for the process.
TEST(FollowCpus, ResizesWhenTheCpusChange) {
  struct Row {
    const char* name;
    int64_t after;  // seconds since the row before, in tenths
    int affinity;
    int quota;    // 0: none
    bool chosen;  // the program chose GOMAXPROCS
    bool starts;  // a goroutine that resizes
    bool runs;    // let it run, if there is one
    int procs;    // afterwards
  };
  const Row rows[] = {
      {"the first look only notes", 0, 3, 0, false, false, true, 2},
      {"too early", 9, 3, 0, false, false, true, 2},
      {"more CPUs than at the start", 1, 3, 0, false, true, true, 3},
      {"the same again", 10, 3, 0, false, false, true, 3},
      {"a quota", 10, 3, 2, false, true, true, 2},
      {"fewer CPUs than the quota", 10, 1, 2, false, true, true, 1},
      {"more again, the goroutine has not run yet", 10, 3, 0, false, true, false, 1},
      {"others meanwhile: one goroutine at a time", 10, 4, 0, false, false, false, 1},
      {"the goroutine runs, it resizes to what it was told", 5, 4, 0, false, false, true, 3},
      {"the next look sees the others", 5, 4, 0, false, true, true, 4},
      {"the program has chosen", 10, 2, 0, true, false, true, 4},
  };
  World w(2);
  int64_t now = World::kStart;
  G* pending = nullptr;
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    now += row.after * kSecond / 10;
    w.cpus_by_affinity = row.affinity;
    w.cpus_by_quota = row.quota;
    sched.custom_gomaxprocs.store(row.chosen);
    sched.nmspinning.store(1);  // so that no M is woken
    M* sysmon = w.NewM();
    w.As(sysmon, [&] { FollowCpus(now); });
    G* made = w.PopGlobal();
    EXPECT_EQ(made != nullptr, row.starts);
    if (made != nullptr) pending = made;
    if (pending != nullptr && row.runs) {
      w.Resume(pending);
      pending = nullptr;
    }
    EXPECT_EQ(gomaxprocs.load(), row.procs);
  }
  // Chosen between the look and the goroutine's turn: the choice stands.
  sched.custom_gomaxprocs.store(false);
  M* sysmon = w.NewM();
  w.As(sysmon, [&] { FollowCpus(now + kSecond); });
  G* made = w.PopGlobal();
  ASSERT_NE(made, nullptr);
  sched.custom_gomaxprocs.store(true);
  w.Resume(made);
  EXPECT_EQ(gomaxprocs.load(), 4);
}

}  // namespace
}  // namespace gort::rt::testing
