// Programs for switches_test: switch_scenarios NAME.
#include <atomic>
#include <cstdio>
#include <cstring>
#include <string>

#include "gort/base/throw.h"
#include "gort/chan/chan.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/malloc/internal/scavenge.h"
#include "gort/malloc/malloc.h"
#include "gort/proc/go.h"
#include "gort/runtime.h"
#include "gort/timer/sleep.h"
#include "gort/traceback/traceback.h"

namespace switches {
namespace {

gort::Chan<int> never = gort::MakeChan<int>();

// Not inlined: their names are in the tracebacks.
__attribute__((noinline)) void Grandchild() { never.Recv(); }
__attribute__((noinline)) void Child() {
  gort::Go(&Grandchild);
  never.Recv();
}

// Three generations that wait for ever.
int Generations() {
  gort::Go(&Child);
  never.Recv();
  return 0;
}

// Goroutines that come and go by the thousand, each with what it keeps of its creators.
int ManyGenerations() {
  gort::Chan<int> done = gort::MakeChan<int>(1);
  for (int i = 0; i < 2000; ++i) {
    gort::Go([done]() mutable {
      gort::Go([done]() mutable { gort::Go([done]() mutable { done.Send(1); }); });
    });
    done.Recv();
  }
  return 0;
}

// With a channel of its own: the compiler makes one function of two that do the same.
__attribute__((noinline)) void OfTheRuntime() { gort::MakeChan<int>().Recv(); }

// A goroutine of the runtime's own: in no count and in no report, and no reason to wait for.
int System() {
  std::atomic<bool> runs{false};
  gort::rt::GoSystem([&] {
    runs.store(true);
    OfTheRuntime();
  });
  while (!runs.load()) gort::Gosched();
  printf("goroutines: %d\n", gort::NumGoroutine());
  printf("shown: %d\n", gort::Stack(true).find("OfTheRuntime") != std::string::npos);
  // One that has ended is no system goroutine any more, whoever has its descriptor next.
  for (int i = 0; i < 1000; ++i) {
    std::atomic<bool> ended{false};
    gort::rt::GoSystem([&] { ended.store(true); });
    while (!ended.load()) gort::Gosched();
  }
  gort::Go([] { never.Recv(); });
  gort::Go([] { never.Recv(); });
  printf("goroutines: %d\n", gort::NumGoroutine());
  fflush(stdout);
  never.Recv();
  return 0;
}

void FreeMuch() {
  void* p = gort::malloc::Alloc(size_t{64} << 20);
  memset(p, 1, size_t{64} << 20);
  gort::malloc::Free(p);
}

// Until the monitor has given most of the memory back twice. A sweep is due to give back what was
// free when it began, 64 MiB at most, so both times are not one sweep: the line of the first is
// then printed.
int Scavenge() {
  for (int i = 0; i < 2; ++i) {
    const uint64_t before = gort::rt::ScavengedTotal();
    FreeMuch();
    while (gort::rt::ScavengedTotal() - before < (uint64_t{48} << 20)) {
      gort::Sleep(absl::Milliseconds(10));
    }
  }
  return 0;
}

int Dying() {
  gort::rt::fatal_report_hook.Set([](bool all) {
    gort::rt::Printer() << "dying before: " << gort::rt::Getg()->m->dying << '\n';
    gort::rt::FatalReport(all);
    gort::rt::Printer() << "dying after: " << gort::rt::Getg()->m->dying << '\n';
  });
  gort::rt::Throw("a broken invariant");
}

// The main goroutine sleeps on its own thread, which has nothing to do meanwhile.
int LockedNap() {
  gort::LockOSThread();
  gort::Sleep(absl::Milliseconds(100));
  return 0;
}

const struct {
  const char* name;
  int (*run)();
} kScenarios[] = {
    {"generations", &Generations},
    {"many_generations", &ManyGenerations},
    {"system", &System},
    {"scavenge", &Scavenge},
    {"dying", &Dying},
    {"locked_nap", &LockedNap},
};

}  // namespace
}  // namespace switches

int gort_main(int argc, char** argv) {
  for (const auto& s : switches::kScenarios) {
    if (argc == 2 && strcmp(s.name, argv[1]) == 0) return s.run();
  }
  fprintf(stderr, "no such scenario\n");
  return 3;
}
