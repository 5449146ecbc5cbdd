#include "gort/leak/internal/environment.h"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "gort/base/godebug.h"
#include "gort/base/throw.h"
#include "gort/leak/leak.h"
#include "gort/proc/go.h"
#include "gort/timer/internal/sleep_ns.h"

namespace gort::rt {
namespace {

// What the periodic search has printed so far.
struct Told {
  std::set<uint64_t> goroutines;
  std::string not_done;
};

void Tell(const leak::Report& found, Told* told) {
  std::string fresh;
  int n = 0;
  for (const leak::Goroutine& g : found.leaked) {
    if (!told->goroutines.insert(g.id).second) continue;
    ++n;
    fresh += "\n" + g.traceback;
  }
  if (n != 0) {
    Printer() << "gort: leakcheck: " << n << (n == 1 ? " goroutine waits" : " goroutines wait")
              << " for ever:\n"
              << fresh.c_str() << '\n';
  }
  if (found.not_done == told->not_done) return;
  told->not_done = found.not_done;
  if (!found.not_done.empty()) {
    Printer() << "gort: leakcheck: no search: " << found.not_done.c_str() << '\n';
  }
}

}  // namespace

void LeaksFromEnvironment() {
  if (godebug.leakcheck == 0) return;
  GoSystem([pause = int64_t{godebug.leakcheck} * 1'000'000] {
    for (Told told;;) {
      SleepNs(pause);
      Tell(leak::Find(), &told);
    }
  });
}

}  // namespace gort::rt
