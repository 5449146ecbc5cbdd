// examples/thread_ring.cc: goroutines in a ring pass a token on, a given number of times. The last
// goroutine to get it prints its own number.
#include <cstdint>
#include <cstdio>

#include "gflags/gflags.h"
#include "gort/apps/common/flags.h"
#include "gort/chan/chan.h"
#include "gort/runtime.h"

DEFINE_int32(members, 503, "goroutines in the ring");
DEFINE_int64(hops, 1000, "how often the token is passed on");

namespace {

bool Positive(const char*, int32_t n) { return n > 0; }
bool FromZero(const char*, int64_t n) { return n >= 0; }
DEFINE_validator(members, &Positive);
DEFINE_validator(hops, &FromZero);

void Member(int32_t number, const gort::RecvChan<int64_t>& from, const gort::SendChan<int64_t>& to,
            const gort::SendChan<int32_t>& winner) {
  for (int64_t hops : from) {
    if (hops == 0) {
      winner.Send(number);
      return;
    }
    to.Send(hops - 1);
  }
}

}  // namespace

int gort_main(int argc, char** argv) {
  if (!apps::ParseFlags(argc, argv, "usage: thread_ring [flags]", __FILE__).empty()) {
    apps::BadUsage("there are no arguments");
  }
  gort::Chan<int32_t> winner = gort::MakeChan<int32_t>();
  gort::Chan<int64_t> first = gort::MakeChan<int64_t>(1);  // a ring of one sends to itself
  gort::Chan<int64_t> from = first;
  for (int32_t i = 1; i <= FLAGS_members; ++i) {
    gort::Chan<int64_t> to = i == FLAGS_members ? first : gort::MakeChan<int64_t>();
    gort::Go(&Member, i, from, to, winner);
    from = to;
  }
  first.Send(FLAGS_hops);
  std::printf("%d\n", winner.Recv().value_or(0));
  return std::fflush(stdout) == 0 ? 0 : 1;
}
