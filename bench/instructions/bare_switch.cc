// The switch from one stack to another by itself, without a scheduler: there and back is one
// operation.
#include <cstdint>

#include "gort/bench/instructions/counting.h"
#include "gort/gmp/testing/coroutine.h"

namespace gort::bench {
namespace {

void ParkForever() {
  while (true) rt::testing::Coroutine::Park();
}

}  // namespace
}  // namespace gort::bench

int main() {
  gort::rt::testing::TestThread thread;
  gort::rt::testing::Coroutine other(&thread, &gort::bench::ParkForever);
  gort::bench::Count("switch", 2000, [&other](int64_t n) {
    for (int64_t i = 0; i < n; ++i) other.Resume();
  });
  return 0;
}
