// bench/workloads: runs one workload and prints one line for each of its figures:
//
//   gort WORKLOAD procs=N FIGURE VALUE UNIT
//
// Usage: workloads WORKLOAD [-procs N] [-n COUNT] [-port P] [-block NS] [-mutex N] [-labels 1]
//
// The last three are for bench/watching: rates of the profiles of waits and of contention (profile.h), and
// labels that the goroutines of the workload carry.
//
// Each value is the median of kReps timed runs after one warm-up run of a tenth of the size. The
// scheduler's settings stay at their defaults.
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "gort/bench/workload.h"
#include "gort/profile/labels.h"
#include "gort/profile/profile.h"
#include "gort/runtime.h"

namespace gort::bench {

double Quantile(Values v, double q) {
  std::sort(v.begin(), v.end());
  return v[static_cast<size_t>(std::ceil(q * static_cast<double>(v.size()))) - 1];
}

namespace {

constexpr int kReps = 5;

struct Figure {
  const char* name;
  const char* unit;
};

struct Workload {
  const char* name;
  int64_t n;      // default of -n
  int64_t procs;  // default of -procs; 0: all CPUs
  Values (*run)(int64_t n);
  std::vector<Figure> figures;
};

std::vector<Workload> AllWorkloads() {
  const std::vector<Figure> ns_per_op = {{"ns_per_op", "ns"}};
  return {
      {"fanin", 10'000, 0, FanIn, ns_per_op},
      {"forkjoin", 1 << 20, 0, ForkJoin, {{"ns_per_task", "ns"}}},
      {"mpmc", 4'000'000, 0, Mpmc, ns_per_op},
      {"mutex", 500'000, 0, MutexPairs, ns_per_op},
      {"parked",
       1'000'000,
       0,
       Parked,
       {{"rss_per_goroutine", "bytes"}, {"create_ms", "ms"}, {"release_ms", "ms"}}},
      {"pingpong", 500'000, 0, PingPong, ns_per_op},
      {"preempt",
       5000,
       1,
       Preempt,
       {{"p50_us", "us"}, {"p99_us", "us"}, {"max_us", "us"}, {"samples", "count"}}},
      {"ring", 1'000'000, 0, Ring, {{"ns_per_hop", "ns"}}},
      {"rwmutex", 2'000'000, 0, RWMutexPairs, ns_per_op},
      {"select", 1'000'000, 0, Selects, ns_per_op},
      {"skynet", 1'000'000, 0, Skynet, {{"total_ms", "ms"}}},
      {"spawn", 1'000'000, 0, Spawn, ns_per_op},
      {"spsc", 5'000'000, 0, Spsc, ns_per_op},
      {"timers", 200'000, 0, Timers, {{"overshoot_ms", "ms"}, {"cpu_ms", "ms"}}},
      {"timerstop", 2'000'000, 0, TimerStop, ns_per_op},
      {"yield", 2'000'000, 1, Yield, ns_per_op},
  };
}

[[noreturn]] void Usage() {
  std::string names;
  for (const Workload& w : AllWorkloads()) names.append(" ").append(w.name);
  fprintf(stderr,
          "usage: workloads WORKLOAD [-procs N] [-n COUNT] [-port P] [-block NS] [-mutex N] "
          "[-labels 1]\n"
          "workloads:%s startup\n",
          names.c_str());
  exit(2);
}

// At most two digits after the point, without trailing zeros.
std::string Format(double v) {
  char text[64];
  const int length = snprintf(text, sizeof(text), "%.2f", std::round(v * 100) / 100);
  std::string_view s(text, static_cast<size_t>(length));
  while (s.back() == '0') s.remove_suffix(1);
  if (s.back() == '.') s.remove_suffix(1);
  return std::string(s);
}

void Measure(const Workload& w, int64_t procs, int64_t n) {
  w.run(std::max<int64_t>(n / 10, 1));
  std::vector<Values> values(w.figures.size());
  for (int i = 0; i < kReps; ++i) {
    const Values run = w.run(n);
    for (size_t f = 0; f < run.size(); ++f) values[f].push_back(run[f]);
  }
  for (size_t f = 0; f < values.size(); ++f) {
    printf("gort %s procs=%lld %s %s %s\n", w.name, static_cast<long long>(procs),
           w.figures[f].name, Format(Quantile(values[f], 0.5)).c_str(), w.figures[f].unit);
  }
}

// The value of a flag; it must be an integer.
int64_t FlagValue(const std::string& text) {
  char* end = nullptr;
  errno = 0;
  const long long v = strtoll(text.c_str(), &end, 0);
  if (text.empty() || *end != '\0' || errno != 0) Usage();
  return v;
}

struct Flags {
  int64_t procs;
  int64_t n;
  int64_t port;  // of a server; no workload has one yet
  int64_t block = 0, mutex = 0, labels = 0;
};

// Accepts -name value and -name=value, with one dash or two.
void Parse(int argc, char** argv, Flags* flags) {
  for (int i = 2; i < argc; ++i) {
    std::string_view arg = argv[i];
    if (arg.size() < 2 || arg[0] != '-') Usage();
    arg.remove_prefix(arg[1] == '-' ? 2 : 1);
    const size_t equals = arg.find('=');
    const std::string_view name = arg.substr(0, equals);
    int64_t* where = name == "procs"    ? &flags->procs
                     : name == "n"      ? &flags->n
                     : name == "port"   ? &flags->port
                     : name == "block"  ? &flags->block
                     : name == "mutex"  ? &flags->mutex
                     : name == "labels" ? &flags->labels
                                        : nullptr;
    if (where == nullptr) Usage();
    if (equals != std::string_view::npos) {
      *where = FlagValue(std::string(arg.substr(equals + 1)));
    } else {
      if (++i == argc) Usage();
      *where = FlagValue(argv[i]);
    }
  }
}

// What starts now is watched.
void Watch(const Flags& flags) {
  profile::SetBlockProfileRate(flags.block);
  profile::SetMutexProfileFraction(static_cast<int>(std::max<int64_t>(0, flags.mutex)));
  if (flags.labels != 0) SetLabels({{"workload", "any"}, {"customer", "42"}});
}

int Main(int argc, char** argv) {
  if (argc < 2) Usage();
  const std::string_view name = argv[1];
  if (name == "startup") return 0;
  const std::vector<Workload> all = AllWorkloads();
  const auto w =
      std::find_if(all.begin(), all.end(), [&](const Workload& o) { return name == o.name; });
  const bool child = name == kParkedOnce;
  if (w == all.end() && !child) Usage();
  Flags flags = {child ? 0 : w->procs, child ? 1 : w->n, 8080};
  Parse(argc, argv, &flags);
  if (flags.procs <= 0) flags.procs = NumCPU();
  GOMAXPROCS(static_cast<int>(flags.procs));
  Watch(flags);
  if (child) {
    const Values v = ParkOnce(flags.n);
    printf("[%.17g %.17g %.17g]\n", v[0], v[1], v[2]);
  } else {
    Measure(*w, flags.procs, flags.n);
  }
  return 0;
}

}  // namespace
}  // namespace gort::bench

int gort_main(int argc, char** argv) { return gort::bench::Main(argc, argv); }
