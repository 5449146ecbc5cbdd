// tests/torture/torture.cc: pre-emption in the middle of everything.
//
//   torture [--seconds=N] [--seed=S] [--procs=N] [--workers=N] [--load=NAME|all]
//
// Run it with GODEBUG=preemptrate=10000. Goroutines of each load do their work over and over and
// check every result; one that makes no progress for --stall_seconds is a deadlock, and ends the
// program with the tracebacks of all. Prints its seed first.
#include "gort/tests/torture/torture.h"

#include <dlfcn.h>
#include <fenv.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cinttypes>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "gflags/gflags.h"
#include "gort/base/attributes.h"
#include "gort/base/throw.h"
#include "gort/platforms/clock.h"
#include "gort/preempt/preempt.h"
#include "gort/proc/go.h"
#include "gort/proc/proc.h"
#include "gort/timer/sleep.h"

DEFINE_int32(seconds, 5, "how long to run");
DEFINE_uint64(seed, 0, "of all random choices; 0: from the clock");
DEFINE_int32(procs, 0, "GOMAXPROCS; 0: as it is");
DEFINE_int32(workers, 3, "goroutines of each load");
DEFINE_string(
    load, "all",
    "malloc printf string throw static_local dlopen qsort mutex vector errno call_once owned_locks"
    " thread_locals yielding; or all");
DEFINE_int32(stall_seconds, 30, "without progress this is a deadlock");

int gort_main(int argc, char** argv);

namespace torture {

using gort::rt::Nanotime;

std::atomic<bool> stop{false};
std::atomic<int> live{0};

[[noreturn]] void Fail(const char* load, const char* what) {
  std::fprintf(stderr, "FAILED: %s: %s\n", load, what);
  gort::rt::Fatal("torture failed");
}

void Malloc(Worker* w) {
  std::array<unsigned char*, 16> held{};
  std::array<size_t, 16> sizes{};
  for (int i = 0; i < 200; ++i) {
    size_t at = w->rand.N(16);
    if (held[at] != nullptr) {
      auto mark = static_cast<unsigned char>(at * 17 + sizes[at]);
      if (held[at][0] != mark || held[at][sizes[at] - 1] != mark) Fail("malloc", "overwritten");
      free(held[at]);
      held[at] = nullptr;
      continue;
    }
    sizes[at] = 1 + w->rand.N(w->rand.N(8) == 0 ? 200'000 : 2000);
    held[at] = static_cast<unsigned char*>(malloc(sizes[at]));
    if (held[at] == nullptr) Fail("malloc", "no memory");
    auto mark = static_cast<unsigned char>(at * 17 + sizes[at]);
    held[at][0] = held[at][sizes[at] - 1] = mark;
  }
  for (unsigned char* p : held) free(p);
}

FILE* dev_null = nullptr;

void Printf(Worker* w) {
  char text[256];
  for (int i = 0; i < 50; ++i) {
    unsigned a = w->rand.Next();
    double d = a / 7.0;
    snprintf(text, sizeof text, "%u %.17g %s %x", a, d, "text", a);
    unsigned b = 0;
    unsigned x = 0;
    double e = 0;
    if (sscanf(text, "%u %lf text %x", &b, &e, &x) != 3 || a != b || a != x || d != e) {
      Fail("printf", text);
    }
    fprintf(dev_null, "%s %d\n", text, i);  // all workers share its lock
  }
}

void String(Worker* w) {
  std::string s;
  uint64_t sum = 0;
  for (int i = 0; i < 200; ++i) {
    unsigned n = w->rand.N(1000);
    s += std::to_string(n);
    s.push_back(',');
    sum += n;
  }
  uint64_t back = 0;
  for (size_t at = 0; at < s.size();) {
    size_t end = s.find(',', at);
    back += std::stoul(s.substr(at, end - at));
    at = end + 1;
  }
  if (sum != back) Fail("string", "lost a character");
}

struct Error : std::runtime_error {
  Error(uint64_t v) : std::runtime_error("torture"), value(v) {}
  uint64_t value;
};
struct Counter {
  explicit Counter(int* n) : n_(n) { ++*n_; }
  ~Counter() { --*n_; }
  int* n_;
};
__attribute__((noinline)) uint64_t Deep(int depth, uint64_t v, int* alive) {
  Counter c(alive);
  if (depth == 0) throw Error(v);
  uint64_t r = Deep(depth - 1, v + 1, alive);
  return r + Burn(3);
}

void Throw(Worker* w) {
  for (int i = 0; i < 20; ++i) {
    uint64_t v = w->rand.Next();
    int alive = 0;
    try {
      Deep(4, v, &alive);
      Fail("throw", "came back");
    } catch (const Error& e) {
      sink.store(Burn(2000), std::memory_order_relaxed);  // inside the handler
      if (e.value != v + 4 || alive != 0 || std::uncaught_exceptions() != 0) {
        Fail("throw", "wrong exception");
      }
      try {
        throw Error(1);
      } catch (const Error& inner) {
        sink.store(Burn(500), std::memory_order_relaxed);
        if (inner.value != 1) Fail("throw", "wrong inner exception");
      }
      if (std::current_exception() == nullptr) Fail("throw", "the exception is gone");
    }
    if (std::current_exception() != nullptr) Fail("throw", "an exception too many");
  }
}

// One local static for each N. The first goroutine that comes initialises it, while the others
// wait.
constexpr int kStatics = 256;
std::atomic<int> initialised{0};
template <int N>
uint64_t Static() {
  static const uint64_t value = [] {
    initialised.fetch_add(1);
    return Burn(200'000) + N;
  }();
  return value;
}
template <int... N>
constexpr std::array<uint64_t (*)(), sizeof...(N)> Statics(std::integer_sequence<int, N...>) {
  return {&Static<N>...};
}
constexpr auto kStatic = Statics(std::make_integer_sequence<int, kStatics>());

void StaticLocal(Worker* w) {
  static const uint64_t expect = Burn(200'000);
  static std::atomic<unsigned> next{0};
  unsigned n = next.fetch_add(1) / static_cast<unsigned>(FLAGS_workers) % kStatics;
  if (kStatic[n]() != expect + n) Fail("static_local", "wrong value");
  if (initialised.load() > kStatics) Fail("static_local", "initialised twice");
  sink.store(Burn(20'000), std::memory_order_relaxed);
}

void Dlopen(Worker*) {
  void* lib = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
  if (lib == nullptr) Fail("dlopen", "no libm");
  auto* fn = reinterpret_cast<double (*)(double)>(dlsym(lib, "cbrt"));
  if (fn == nullptr || std::fabs(fn(27.0) - 3.0) > 1e-12) Fail("dlopen", "wrong cbrt");
  sink.store(Burn(500), std::memory_order_relaxed);
  if (dlclose(lib) != 0) Fail("dlopen", "dlclose");
}

int Compare(const void* a, const void* b) {
  uint64_t x = *static_cast<const uint64_t*>(a);
  uint64_t y = *static_cast<const uint64_t*>(b);
  sink.store(Burn(20), std::memory_order_relaxed);  // user code above the C library's
  return x < y ? -1 : x > y ? 1 : 0;
}

void Qsort(Worker* w) {
  std::vector<uint64_t> v(500);
  uint64_t sum = 0;
  for (uint64_t& x : v) sum += x = w->rand.Next();
  qsort(v.data(), v.size(), sizeof v[0], &Compare);
  for (size_t i = 0; i < v.size(); ++i) {
    sum -= v[i];
    if (i > 0 && v[i - 1] > v[i]) Fail("qsort", "not sorted");
  }
  if (sum != 0) Fail("qsort", "lost an element");
}

std::mutex mu;
int64_t guarded[2] = {};
std::atomic<int64_t> entered{0};

void Mutex(Worker* w) {
  for (int i = 0; i < 20; ++i) {
    std::lock_guard<std::mutex> l(mu);
    if (guarded[0] != guarded[1] || guarded[0] != entered.load()) Fail("mutex", "two inside");
    ++guarded[0];
    sink.store(Burn(w->rand.N(3000)), std::memory_order_relaxed);  // pre-empted while it holds it
    ++guarded[1];
    entered.fetch_add(1);
  }
}

using Doubles = double __attribute__((vector_size(32)));
using Words = uint64_t __attribute__((vector_size(32)));

__attribute__((noinline)) uint64_t VectorWork(uint64_t seed) {
  Doubles a = {1.0, 2.0, 3.0, 4.0};
  Doubles b = {0.5, 0.25, 0.125, 0.0625};
  Words x = {seed, seed + 1, seed + 2, seed + 3};
  Words y = {1, 3, 5, 7};
  long double ld = 1.0L;
  for (int i = 0; i < 20'000; ++i) {
    a = a * b + a;
    b = b - a * 1e-9;
    a = a - static_cast<Doubles>(a > 1e6) * 0.0;
    x = x * 6364136223846793005u + y;
    y = y ^ (x >> 7);
    ld = ld * 1.0000001L + 1e-7L;
    if (a[0] > 1e9) a = a * 1e-9;
  }
  uint64_t bits[4];
  memcpy(bits, &a, sizeof bits);
  uint64_t r = bits[0] ^ bits[1] ^ bits[2] ^ bits[3];
  memcpy(bits, &b, sizeof bits);
  r ^= bits[0] ^ bits[1] ^ bits[2] ^ bits[3];
  uint64_t low;
  memcpy(&low, &ld, sizeof low);
  return r ^ x[0] ^ x[1] ^ x[2] ^ x[3] ^ y[0] ^ y[1] ^ y[2] ^ y[3] ^ low;
}
uint64_t vector_expect[4];

void Vector(Worker* w) {
  unsigned n = w->rand.N(4);
  if (VectorWork(n) != vector_expect[n]) Fail("vector", "wrong bits");
}

void Errno(Worker* w) {
  const int rounding[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  int mode = rounding[w->rand.N(4)];
  fesetround(mode);
  for (int i = 0; i < 200; ++i) {
    int value = 1 + static_cast<int>(w->rand.N(100));
    errno = value;
    sink.store(Burn(1000), std::memory_order_relaxed);
    if (errno != value) Fail("errno", "changed");
    errno = 0;
    char* end;
    strtol("99999999999999999999999", &end, 10);
    if (errno != ERANGE) Fail("errno", "not ERANGE");
    if (fegetround() != mode) Fail("errno", "rounding mode changed");
  }
  fesetround(FE_TONEAREST);
}

void CallOnce(Worker* w) {
  for (int i = 0; i < 200; ++i) {
    std::once_flag flag;
    uint64_t n = 0;
    uint64_t want = w->rand.Next();
    std::call_once(flag, [&n, want] { n = want; });
    std::call_once(flag, [&n] { n = 0; });
    if (n != want) Fail("call_once", "wrong callable");
  }
}

struct Load {
  const char* name;
  void (*run)(Worker*);
};
constexpr Load kLoads[] = {
    {"malloc", &Malloc},
    {"printf", &Printf},
    {"string", &String},
    {"throw", &Throw},
    {"static_local", &StaticLocal},
    {"dlopen", &Dlopen},
    {"qsort", &Qsort},
    {"mutex", &Mutex},
    {"vector", &Vector},
    {"errno", &Errno},
    {"call_once", &CallOnce},
    {"owned_locks", &OwnedLocks},
    {"thread_locals", &ThreadLocals},
    {"yielding", &Yielding},
};
constexpr size_t kN = sizeof kLoads / sizeof kLoads[0];

bool Wanted(const Load& load) {
  // A statically linked program may have no libraries to load.
  static const bool libraries = dlopen("libm.so.6", RTLD_NOW) != nullptr;
  if (!libraries && strcmp(load.name, "dlopen") == 0) return false;
  return FLAGS_load == "all" || FLAGS_load == load.name;
}

void Start(const Load* load, Worker* w, uint64_t seed) {
  w->rand.Seed(seed | 1);
  live.fetch_add(1);
  gort::Go(gort::GoOptions{.stack_size = 512 << 10, .name = load->name}, [load, w] {
    while (!stop.load(std::memory_order_relaxed)) {
      load->run(w);
      w->progress.fetch_add(1);
    }
    live.fetch_sub(1);
  });
}

std::vector<Worker> workers;

int64_t Progress(size_t load) {
  int64_t n = 0;
  for (size_t i = load; i < workers.size(); i += kN) n += workers[i].progress.load();
  return n;
}

// Each load must make progress, but a single worker need not: std::mutex is not fair, and a worker
// that unlocks and locks again at once may shut the others out for as long as it likes.
void Watch(size_t load, int64_t now) {
  static int64_t seen[kN] = {};
  static int64_t since[kN] = {};
  int64_t progress = Progress(load);
  if (progress != seen[load] || since[load] == 0) {
    seen[load] = progress;
    since[load] = now;
  } else if (now - since[load] > FLAGS_stall_seconds * int64_t{1'000'000'000}) {
    Fail(kLoads[load].name, "no progress");
  }
}

}  // namespace torture

int gort_main(int argc, char** argv) {
  using namespace torture;  // NOLINT
  if (GORT_TSAN) {
    std::printf("skipped: no pre-emption under ThreadSanitizer (preempt/preempt.h)\n");
    return 0;
  }
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  uint64_t seed = FLAGS_seed != 0 ? FLAGS_seed : static_cast<uint64_t>(Nanotime());
  std::printf("seed %" PRIu64 "\n", seed);
  std::fflush(stdout);
  if (FLAGS_procs != 0) gort::rt::GoMaxProcs(FLAGS_procs);
  dev_null = fopen("/dev/null", "w");
  for (uint64_t i = 0; i < 4; ++i) vector_expect[i] = VectorWork(i);
  workers = std::vector<Worker>(kN * static_cast<size_t>(FLAGS_workers));
  for (size_t i = 0; i < workers.size(); ++i) {
    if (Wanted(kLoads[i % kN])) Start(&kLoads[i % kN], &workers[i], seed + i * 977);
  }
  if (live.load() == 0) {
    std::fprintf(stderr, "--load=%s: no such load\n", FLAGS_load.c_str());
    return 2;
  }
  int64_t end = Nanotime() + FLAGS_seconds * int64_t{1'000'000'000};
  while (live.load() != 0) {
    gort::Sleep(absl::Milliseconds(100));
    int64_t now = Nanotime();
    if (now >= end) stop.store(true);
    for (size_t l = 0; l < kN && !stop.load(); ++l) {
      if (Wanted(kLoads[l])) Watch(l, now);
    }
    if (now >= end + FLAGS_stall_seconds * int64_t{1'000'000'000})
      Fail("all", "workers do not end");
  }
  for (size_t l = 0; l < kN; ++l) {
    int64_t n = Progress(l);
    if (n != 0) std::printf("%-13s %" PRId64 " rounds\n", kLoads[l].name, n);
  }
  for (int i = 0; i < static_cast<int>(gort::rt::Interrupted::kCount); ++i) {
    auto p = static_cast<gort::rt::Interrupted>(i);
    std::printf("  %s: %" PRId64 "\n", gort::rt::InterruptedName(p), gort::rt::PreemptCount(p));
  }
  std::fflush(stdout);
  return 0;
}
