// What valgrind has to follow: goroutines that hand elements from stack to stack, that end so that
// others get their stacks, and that compute until they are interrupted.
#include <cstdint>
#include <cstdio>

#include "gort/chan/chan.h"
#include "gort/runtime.h"
#include "gort/sync/wait_group.h"

namespace {

struct Element {
  int64_t words[4];
};

int64_t Compute(int64_t n) {
  volatile int64_t sum = 0;
  for (int64_t i = 0; i < n; ++i) sum = sum + i % 7;
  return sum;
}

// Adds n elements up that come through a chain of goroutines.
int64_t Chain(int length, int64_t n) {
  gort::Chan<Element> first = gort::MakeChan<Element>();
  gort::Chan<Element> in = first;
  for (int i = 0; i < length; ++i) {
    gort::Chan<Element> out = gort::MakeChan<Element>();
    gort::Go([in, out] {
      for (const Element& e : in) out.Send(e);
      out.Close();
    });
    in = out;
  }
  gort::Go([first, n] {
    for (int64_t i = 0; i < n; ++i) first.Send(Element{{i, i, i, i}});
    first.Close();
  });
  int64_t sum = 0;
  for (const Element& e : in) sum += e.words[3];
  return sum;
}

}  // namespace

int gort_main(int, char**) {
  gort::WaitGroup hogs;
  for (int i = 0; i < 4; ++i) hogs.Go([] { Compute(20'000'000); });
  int64_t sum = 0;
  for (int round = 0; round < 3; ++round) sum += Chain(20, 20);
  hogs.Wait();
  std::printf("%d\n", static_cast<int>(sum));
  return 0;
}
