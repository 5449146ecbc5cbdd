// examples/prime_sieve.cc: the first primes, by a chain of goroutines. Each has a prime, and passes
// on the numbers that its prime does not divide.
#include <cstdint>
#include <cstdio>

#include "gflags/gflags.h"
#include "gort/apps/common/flags.h"
#include "gort/chan/chan.h"
#include "gort/runtime.h"

DEFINE_int32(n, 100, "how many primes");

namespace {

bool FromZero(const char*, int32_t n) { return n >= 0; }
DEFINE_validator(n, &FromZero);

void Generate(const gort::SendChan<int32_t>& out) {
  for (int32_t i = 2;; ++i) out.Send(i);
}

void Filter(const gort::RecvChan<int32_t>& in, const gort::SendChan<int32_t>& out, int32_t prime) {
  for (int32_t i : in) {
    if (i % prime != 0) out.Send(i);
  }
}

}  // namespace

int gort_main(int argc, char** argv) {
  if (!apps::ParseFlags(argc, argv, "usage: prime_sieve [flags]", __FILE__).empty()) {
    apps::BadUsage("there are no arguments");
  }
  gort::Chan<int32_t> numbers = gort::MakeChan<int32_t>();
  gort::Go(&Generate, numbers);
  for (int32_t i = 0; i < FLAGS_n; ++i) {
    const int32_t prime = numbers.Recv().value_or(0);
    std::printf("%d\n", prime);
    gort::Chan<int32_t> rest = gort::MakeChan<int32_t>();
    gort::Go(&Filter, numbers, rest, prime);
    numbers = rest;
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}
