// examples/worker_pool.cc: workers share jobs at a limited rate, until all jobs are done, one
// fails, or the time is up.
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <string>

#include "gflags/gflags.h"
#include "gort/apps/common/flags.h"
#include "gort/gort.h"

DEFINE_int32(workers, 4, "workers");
DEFINE_int32(jobs, 100, "jobs");
DEFINE_int32(rate, 1000, "jobs begun in a second, at most");
DEFINE_int32(fail_at, -1, "the job that fails; -1: none does");
DEFINE_int32(timeout_ms, 60'000, "milliseconds after which to give up");

namespace {

bool Positive(const char*, int32_t n) { return n > 0; }
bool FromZero(const char*, int32_t n) { return n >= 0; }
DEFINE_validator(workers, &Positive);
DEFINE_validator(rate, &Positive);
DEFINE_validator(jobs, &FromZero);
DEFINE_validator(timeout_ms, &FromZero);

int64_t Square(int32_t job) { return int64_t{job} * job; }

// Hands the jobs out, one with each tick.
absl::Status Feed(const gort::Context& ctx, const gort::SendChan<int32_t>& jobs) {
  gort::Ticker ticker = gort::NewTicker(absl::Seconds(1) / FLAGS_rate);
  absl::Status status;
  for (int32_t job = 0; job < FLAGS_jobs && status.ok(); ++job) {
    auto give_up = [&](std::optional<gort::Unit>) { status = ctx.Err(); };
    gort::Select(gort::OnRecv(ticker.C()), gort::OnRecv(ctx.Done(), give_up));
    if (!status.ok()) break;
    gort::Select(gort::OnSend(jobs, job), gort::OnRecv(ctx.Done(), give_up));
  }
  ticker.Stop();
  jobs.Close();
  return status;
}

}  // namespace

int gort_main(int argc, char** argv) {
  if (!apps::ParseFlags(argc, argv, "usage: worker_pool [flags]", __FILE__).empty()) {
    apps::BadUsage("there are no arguments");
  }
  auto [timed, cancel] =
      gort::WithTimeout(gort::Background(), absl::Milliseconds(FLAGS_timeout_ms));
  auto [group, ctx] = gort::ErrGroup::WithContext(timed);
  gort::Chan<int32_t> jobs = gort::MakeChan<int32_t>();
  gort::Mutex mu;  // guards done and sum
  int64_t done = 0, sum = 0;
  const absl::Time start = gort::Now();
  group.Go([&, ctx = ctx] { return Feed(ctx, jobs); });
  for (int32_t w = 0; w < FLAGS_workers; ++w) {
    group.Go([&]() -> absl::Status {
      for (int32_t job : jobs) {
        if (job == FLAGS_fail_at) return absl::InternalError("job " + std::to_string(job));
        const int64_t result = Square(job);
        mu.Lock();
        ++done;
        sum += result;
        mu.Unlock();
      }
      return absl::OkStatus();
    });
  }
  const absl::Status status = group.Wait();
  const bool too_fast = gort::Now() - start < absl::Seconds(1) * done / FLAGS_rate * 0.99;
  std::printf("%" PRId64 " jobs, sum %" PRId64 ", %s, %s\n", done, sum,
              too_fast ? "too fast" : "within the rate", status.ToString().c_str());
  cancel();
  if (std::fflush(stdout) != 0) return 1;
  return status.ok() ? 0 : 3;
}
