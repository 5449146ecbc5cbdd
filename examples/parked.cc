// examples/parked.cc: a million goroutines parked at once, each with a guarded stack of its own,
// and what becomes of their memory when they have ended.
#include <atomic>
#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "absl/time/time.h"
#include "gflags/gflags.h"
#include "gort/apps/common/flags.h"
#include "gort/chan/chan.h"
#include "gort/runtime.h"
#include "gort/sync/sync.h"
#include "gort/tests/support/process.h"
#include "gort/timer/sleep.h"

DEFINE_int64(n, 1'000'000, "how many goroutines");
DEFINE_int64(max_mib, 5120, "exit status 1 if more than this is resident at the peak; 0: no limit");
DEFINE_bool(fall, true, "exit status 1 unless the resident size falls below a quarter of the peak");
DEFINE_int32(seconds, 30, "how long to wait for that");

namespace {

using gort::testing::ResidentBytes;

bool FromOne(const char*, int64_t n) { return n >= 1; }
DEFINE_validator(n, &FromOne);

double Mib(int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

int64_t Mappings() {
  int64_t lines = 0;
  if (FILE* f = std::fopen("/proc/self/maps", "re")) {
    for (int c; (c = std::getc(f)) != EOF;) lines += c == '\n' ? 1 : 0;
    std::fclose(f);
  }
  return lines;
}

double Since(std::chrono::steady_clock::time_point t) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - t).count();
}

}  // namespace

int gort_main(int argc, char** argv) {
  if (!apps::ParseFlags(argc, argv, "usage: parked [flags]", __FILE__).empty()) {
    apps::BadUsage("there are no arguments");
  }
  const int64_t before = ResidentBytes();
  auto begin = std::chrono::steady_clock::now();
  gort::Chan<gort::Unit> gate = gort::MakeChan<gort::Unit>();
  std::atomic<int64_t> arrived{0};
  gort::WaitGroup all;
  for (int64_t i = 0; i < FLAGS_n; ++i) {
    all.Go([&arrived, gate] {
      arrived.fetch_add(1);
      gate.Recv();
    });
  }
  while (arrived.load() < FLAGS_n) gort::Gosched();
  const int64_t peak = ResidentBytes();
  std::printf("%d goroutines parked after %.2f s: %.0f MiB resident, %.0f bytes each, %" PRId64
              " mappings\n",
              gort::NumGoroutine() - 1, Since(begin), Mib(peak),
              static_cast<double>(peak - before) / static_cast<double>(FLAGS_n), Mappings());
  bool ok = FLAGS_max_mib == 0 || peak <= FLAGS_max_mib << 20;
  if (!ok) std::printf("more than %" PRId64 " MiB\n", FLAGS_max_mib);

  begin = std::chrono::steady_clock::now();
  gate.Close();
  all.Wait();
  std::printf("all ended after %.2f s\n", Since(begin));
  begin = std::chrono::steady_clock::now();
  int64_t now = ResidentBytes();
  for (double next = 0; now * 4 >= peak && FLAGS_fall && Since(begin) < FLAGS_seconds;
       now = ResidentBytes()) {
    if (Since(begin) >= next) {
      std::printf("%.1f s later: %.0f MiB resident\n", Since(begin), Mib(now));
      next = next == 0 ? 0.5 : next * 2;
    }
    gort::Sleep(absl::Milliseconds(20));
  }
  std::printf("%.1f s later: %.0f MiB resident, %.0f %% of the peak\n", Since(begin), Mib(now),
              100.0 * static_cast<double>(now) / static_cast<double>(peak));
  if (FLAGS_fall && now * 4 >= peak) ok = false;
  return std::fflush(stdout) == 0 && ok ? 0 : 1;
}
