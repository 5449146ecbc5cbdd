#include <cstdint>
#include <exception>
#include <functional>
#include <set>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "gort/base/attributes.h"
#include "gort/base/panic.h"
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/leak/leak.h"
#include "gort/platforms/clock.h"
#include "gort/proc/proc.h"
#include "gort/runtime.h"
#include "gort/sync/wait_group.h"
#include "gort/testing/internal/as_goroutine.h"
#include "gort/testing/testing.h"
#include "gort/timer/internal/bubble.h"
#include "gort/timer/sleep.h"

namespace gort::testing {
namespace {

// How long goroutines that f has left may take to end, or to come to where they wait.
constexpr int64_t kSettleNs = 100'000'000;
// For a search, which a thread that does not stop prevents.
constexpr int64_t kSearchNs = 10'000'000'000;

leak::Report Search() {
  const int64_t until = rt::Nanotime() + kSearchNs;
  while (true) {
    leak::Report found = leak::Find();
    if (found.not_done.empty()) return found;
    if (rt::Nanotime() > until) {
      throw Panic("gort::testing::NoLeaks: no search: " + found.not_done);
    }
    gort::Sleep(absl::Milliseconds(1));
  }
}

// What f throws comes back. Its frames are gone when this returns.
GORT_NOINLINE std::exception_ptr CallOnItsOwn(const std::function<void()>& f) {
  std::exception_ptr error;
  WaitGroup wg;
  wg.Go([&] {
    try {
      f();
    } catch (...) {
      if (rt::CurrentG()->goexiting) throw;
      error = std::current_exception();
    }
  });
  wg.Wait();
  return error;
}

using Ids = std::set<uint64_t>;

Ids LeakedAlready() {
  Ids ids;
  for (const leak::Goroutine& g : Search().leaked) ids.insert(g.id);
  return ids;
}

// Those that f started are on their way to their ends, or to where they wait.
void Settle(int goroutines) {
  const int64_t until = rt::Nanotime() + kSettleNs;
  while (NumGoroutine() > goroutines && rt::Nanotime() < until) {
    gort::Sleep(absl::Milliseconds(1));
  }
}

std::string Line(const leak::Goroutine& g) {
  std::string line = "\n  goroutine " + std::to_string(g.id) + " [" + g.waits_for + "]";
  if (!g.name.empty()) line += " \"" + g.name + '"';
  return line + ", created by " + g.created_by + " at " + g.created_at;
}

// Panic, if others have leaked than `before`.
void ExpectNone(const leak::Report& now, const Ids& before) {
  std::string text;
  int n = 0;
  for (const leak::Goroutine& g : now.leaked) {
    if (before.contains(g.id)) continue;
    ++n;
    text += Line(g);
    rt::Printer() << g.traceback.c_str() << '\n';
  }
  if (n == 0) return;
  throw Panic("leaked: " + std::to_string(n) +
              (n == 1 ? " goroutine waits for ever:" : " goroutines wait for ever:") + text);
}

void NoLeaksHere(const std::function<void()>& f) {
  if (rt::CurrentBubble() != nullptr) {
    throw Panic("gort::testing::NoLeaks called from within a bubble");
  }
  const bool search = !GORT_ASAN && !GORT_TSAN;
  const Ids before = search ? LeakedAlready() : Ids();
  const int goroutines = NumGoroutine();
  if (std::exception_ptr error = CallOnItsOwn(f); error != nullptr) {
    std::rethrow_exception(std::move(error));
  }
  if (!search) return;
  Settle(goroutines);
  ExpectNone(Search(), before);
}

}  // namespace

void NoLeaks(const std::function<void()>& f) {
  AsGoroutine([&f] { NoLeaksHere(f); });
}

}  // namespace gort::testing
