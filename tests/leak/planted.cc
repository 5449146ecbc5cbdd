// Leaves a goroutine behind that waits for ever and another that does not, says so, and runs until its
// input ends.
#include <unistd.h>

#include <cstdio>

#include "gort/base/attributes.h"
#include "gort/chan/chan.h"
#include "gort/runtime.h"

namespace {

gort::Chan<int> kept = gort::MakeChan<int>();

GORT_NOINLINE void Forget() {
  gort::Chan<int> c = gort::MakeChan<int>();
  gort::Go([c] { c.Send(1); });
}

}  // namespace

int gort_main(int, char**) {
  Forget();
  gort::Go([] { kept.Recv(); });
  std::puts("planted");
  std::fflush(stdout);
  char c;
  while (gort::Blocking([&c] { return read(0, &c, 1); }) > 0) {
  }
  return 0;
}
