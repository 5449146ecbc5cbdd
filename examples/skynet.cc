// examples/skynet.cc: a tree of goroutines with ten children each. A leaf sends its number up, a
// goroutine above sends the sum of its children. 1,000,000 leaves make 499999500000.
#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>

#include "gflags/gflags.h"
#include "gort/apps/common/flags.h"
#include "gort/chan/chan.h"
#include "gort/runtime.h"

DEFINE_int64(leaves, 1'000'000, "how many leaves; a power of ten");

namespace {

bool PowerOfTen(const char*, int64_t n) {
  for (; n > 1 && n % 10 == 0; n /= 10) {
  }
  return n == 1;
}
DEFINE_validator(leaves, &PowerOfTen);

// Sends the sum of the numbers in [first, first + leaves).
void Node(const gort::Chan<int64_t>& up, int64_t first, int64_t leaves) {
  if (leaves == 1) {
    up.Send(first);
    return;
  }
  gort::Chan<int64_t> children = gort::MakeChan<int64_t>();
  for (int64_t i = 0; i < 10; ++i) {
    gort::Go(&Node, children, first + i * (leaves / 10), leaves / 10);
  }
  int64_t sum = 0;
  for (int i = 0; i < 10; ++i) sum += children.Recv().value_or(0);
  up.Send(sum);
}

}  // namespace

int gort_main(int argc, char** argv) {
  if (!apps::ParseFlags(argc, argv, "usage: skynet [flags]", __FILE__).empty()) {
    apps::BadUsage("there are no arguments");
  }
  const auto begin = std::chrono::steady_clock::now();
  gort::Chan<int64_t> result = gort::MakeChan<int64_t>();
  gort::Go(&Node, result, int64_t{0}, FLAGS_leaves);
  const int64_t sum = result.Recv().value_or(-1);
  const auto took = std::chrono::steady_clock::now() - begin;
  std::printf("%" PRId64 "\n", sum);
  std::fprintf(stderr, "%" PRId64 " leaves on %d processors: %.0f ms\n", FLAGS_leaves,
               gort::GOMAXPROCS(0), std::chrono::duration<double, std::milli>(took).count());
  return sum == FLAGS_leaves * (FLAGS_leaves - 1) / 2 ? 0 : 1;
}
