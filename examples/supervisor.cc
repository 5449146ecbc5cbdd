// examples/supervisor.cc: keeps programs running.
//
// A goroutine for each program starts it, waits for its end, and starts it again after a while, which
// doubles each time. The goroutines are a TaskGroup: a program that ends too often is a failure, which
// ends the others. SIGTERM ends the group's context, and with it the programs: a context given to
// Process::Start sends them SIGTERM, and later SIGKILL. Nothing is left behind: Wait has seen each end.
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "gflags/gflags.h"
#include "gort/apps/common/flags.h"
#include "gort/gort.h"

DEFINE_int32(restarts, 5,
             "how often a program may be restarted before it has run for --good_seconds");
DEFINE_double(good_seconds, 10, "a program that has run so long begins anew with its restarts");
DEFINE_double(first_pause, 0.1,
              "seconds before the first restart; each later pause is twice as long");
DEFINE_double(longest_pause, 10, "and at most so many seconds");
DEFINE_double(grace, 5, "seconds that a program has to end after SIGTERM");

namespace {

constexpr char kUsage[] = R"(usage: supervisor [flags] COMMAND...
Runs each COMMAND, a program with its arguments as the shell reads them, until it ends with status 0, and starts it again
when it ends otherwise. Ends with status 0 when all have, or by SIGTERM or SIGINT, and with status 1 when one ends too
often.
)";

void Say(const std::string& line, const std::string& what) {
  std::printf("%s: %s\n", line.c_str(), what.c_str());
  std::fflush(stdout);
}

// False: ctx has ended first.
bool Pause(const gort::Context& ctx, absl::Duration d) {
  return gort::Select(gort::OnRecv(ctx.Done()), gort::OnRecv(gort::After(d))) == 1;
}

absl::StatusOr<gort::os::ExitStatus> RunOnce(const gort::Context& ctx, const std::string& line) {
  auto process = gort::os::Process::Start(ctx, {
                                                   .args = {"/bin/sh", "-c", "exec " + line},
                                                   .grace = absl::Seconds(FLAGS_grace),
                                               });
  if (!process.ok()) return process.status();
  Say(line, "started, pid " + std::to_string(process->pid()));
  return process->Wait();
}

// Ok: the program has ended well, or ctx is over and the program has ended.
absl::Status Keep(const gort::Context& ctx, const std::string& line) {
  const absl::Duration first = absl::Seconds(FLAGS_first_pause);
  absl::Duration pause = first;
  for (int restarts = 0;;) {
    const absl::Time started = gort::Now();
    const auto end = RunOnce(ctx, line);
    if (!ctx.Err().ok()) {
      if (end.ok()) Say(line, "ended, " + end->ToString());
      return absl::OkStatus();
    }
    if (!end.ok()) return end.status();
    if (end->ok()) return Say(line, "done"), absl::OkStatus();
    if (gort::Now() - started >= absl::Seconds(FLAGS_good_seconds)) {
      restarts = 0;
      pause = first;
    }
    if (restarts++ == FLAGS_restarts) {
      return absl::AbortedError(line + ": " + end->ToString() + ", too often");
    }
    Say(line, end->ToString() + ", again in " + absl::FormatDuration(pause));
    if (!Pause(ctx, pause)) return absl::OkStatus();
    pause = std::min(2 * pause, absl::Seconds(FLAGS_longest_pause));
  }
}

}  // namespace

int gort_main(int argc, char** argv) {
  const std::vector<std::string> lines = apps::ParseFlags(argc, argv, kUsage, __FILE__);
  if (lines.empty()) apps::BadUsage("nothing to run");
  auto until = gort::os::NotifyContext(gort::Background(), {SIGTERM, SIGINT});
  gort::TaskGroup programs(until.context());
  for (const std::string& line : lines) {
    programs.Go([&line](const gort::Context& ctx) { return Keep(ctx, line); });
  }
  const absl::Status status = programs.Wait();
  if (!status.ok()) std::fprintf(stderr, "supervisor: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
