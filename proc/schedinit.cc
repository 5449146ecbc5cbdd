// proc/schedinit.cc: what happens before the first goroutine, in order.
#include <cstdlib>
#include <cstring>
#include <new>

#include "gort/base/godebug.h"
#include "gort/base/throw.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/switch.h"
#include "gort/malloc/internal/current_mcache.h"
#include "gort/malloc/internal/scavenge.h"
#include "gort/platforms/auxv.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/cpu.h"
#include "gort/proc/boot.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/sched_seed.h"
#include "gort/stack/internal/stack_alloc.h"
#include "gort/traceback/traceback.h"

namespace gort::rt {
namespace {

// Go's steps that have no meaning in C++ are listed in proc/README.md.

// ---- inittrace ----

struct TraceLine {
  const char* name;
  int64_t start_ns;
  int64_t ns;
};

// Steps in the order in which they began. PrintInitTrace prints them when start-up is over: GODEBUG
// is read half-way through, and an outer step's duration is known at its end.
constexpr int kMaxTraceLines = 48;
constinit TraceLine trace[kMaxTraceLines] = {};
constinit int n_trace = 0;

// ---- the steps ----

void LockInit() {
  // The locks have their ranks from their constructors; the generated table is checked here.
  for (int r = 1; r < kLockRanks; ++r) {
    if ((kMayBeHeld[r] >> kLockRanks) != 0) Throw("lockinit: rank table out of range");
  }
}

// The program may have chosen the number already (SetMaxThreads).
void MaxMCountInit() {
  LockGuard l(&sched.lock);
  CheckMCount();
}

// What the linker put where assembly and unwinders rely on it. Go: moduledataverify
void LinkVerify() {
  if (reinterpret_cast<uintptr_t>(&gort_goexit) % 16 != 0) Throw("gort_goexit is not aligned");
  if (gort_tls_g != Getg()) Throw("tls.g: two ways, two values");
}

void HeapInit() { sched.mcache0 = MallocInit(); }

void RandInit() {
  uint64_t seed = 0;
  if (auto* bytes = reinterpret_cast<const unsigned char*>(GetAuxval(AuxKey::kRandom))) {
    memcpy(&seed, bytes + 8, sizeof seed);  // the first half is the C library's stack guard
  }
  if (seed == 0) seed = static_cast<uint64_t>(Nanotime()) ^ static_cast<uint64_t>(CpuTicks());
  sched.seed = seed != 0 ? seed : 1;
}

void MCommonInit0() { MCommonInit(&m0, -1); }
// The CPU's features, which a save of all registers needs, are known before a second thread starts.
// Go: cpuinit
void CpuFeatures() {
  if (cpu_info.vendor[0] == '\0') Throw("cpuinit: rt0_go did not look at the CPU");
}
void HashInit() { sched.hash_seed = FastRand(sched.seed).Next64(); }
void SigMaskInit() { m0.sigmask = SigCurrentMask(); }
// The seam for a collector: none is linked, so nothing may have asked for a stop on its behalf.
// Go: gcinit
void GcInit() {
  if (sched.gcwaiting.load()) Throw("gcinit: the world is stopped");
}
void LastPollInit() {
  const int64_t now = Nanotime();
  sched.lastpoll.store(now);
  sched.coarse_now.store(now, std::memory_order_relaxed);
}

// Read once, because the program may change its environment later.
constinit const char* env_godebug = nullptr;
constinit const char* env_gomaxprocs = nullptr;

void SetTraceback(const char* level) {
  if (level == nullptr) return;
  const bool crash = strcmp(level, "crash") == 0;
  const bool system = crash || strcmp(level, "system") == 0;
  if (crash) CrashOnFatal();
  if (system) ShowAllFrames();
  if (system || strcmp(level, "all") == 0) ReportAllGoroutines();
}

void LimitMemory(const char* text) {
  if (text == nullptr || *text == '\0') return;
  int64_t bytes;
  if (ParseMemoryLimit(text, &bytes)) {
    SetMemoryLimit(bytes);
  } else {
    Printer() << "gort: GOMEMLIMIT: ignoring \"" << text << "\": want a size such as 512MiB\n";
  }
}

void ReadEnvironment() {
  // Environment: settings `key=value`, separated by commas; the keys are below.
  env_godebug = getenv("GODEBUG");
  // Environment: how many goroutines run at once, from 1 to 1024; without it as many as the process
  // may use CPUs (affinity mask and cgroup quota), and the number follows them.
  env_gomaxprocs = getenv("GOMAXPROCS");
  // Environment: `all` shows every goroutine in a fatal report; `system` also the functions and the
  // goroutines of the runtime; `crash` also ends with SIGABRT, which may leave a core dump, instead of
  // status 2.
  SetTraceback(getenv("GOTRACEBACK"));
  // Environment: how much memory the heap of //malloc shall have, such as `512MiB`: a wish, see
  // SetMemoryLimit of `gort/malloc/malloc.h`.
  LimitMemory(getenv("GOMEMLIMIT"));
}

void ParseDebugVars() {
  ParseGodebug(env_godebug, &godebug);
  if (godebug.schedseed != 0) {
    sched.seed = static_cast<uint64_t>(godebug.schedseed);
    SetSchedSeed(sched.seed);
  }
  if (godebug.stackguard != 0) StackInit();  // once more: the guard is the environment's choice
}

// The name that threads and reports carry.
void NoteProgramName() {
  const char* name = sched.argc > 0 && sched.argv != nullptr ? sched.argv[0] : nullptr;
  // Run has no arguments of main's; the kernel says what it executed.
  if (name == nullptr) name = reinterpret_cast<const char*>(GetAuxval(AuxKey::kExecName));
  if (name == nullptr) return;
  const char* slash = strrchr(name, '/');
  sched.program = slash != nullptr ? slash + 1 : name;
}

// The environment's GOMAXPROCS, or n without it. For a value that cannot be used it prints one line
// and returns n.
int32_t ProcsFromEnvironment(int32_t n) {
  const char* text = env_gomaxprocs;
  if (text == nullptr || *text == '\0') return n;
  int64_t v = 0;
  if (!ParseInt64(text, strlen(text), &v) || v <= 0) {
    Printer() << "gort: GOMAXPROCS: ignoring \"" << text << "\": want an integer from 1 to "
              << kMaxProcs << '\n';
    return n;
  }
  sched.procs_from.store(ProcsFrom::kEnvironment, std::memory_order_relaxed);
  sched.custom_gomaxprocs.store(true, std::memory_order_relaxed);
  if (v <= kMaxProcs) return static_cast<int32_t>(v);
  Printer() << "gort: GOMAXPROCS: " << text << " is more than the limit; using " << kMaxProcs
            << '\n';
  return kMaxProcs;
}

// What GOMAXPROCS(n) asked for before the start; 0: nothing. Guarded by sched.lock.
constinit int32_t early_procs = 0;

void ProcsInit() {
  sched.procs_from.store(ncpu < NumCpuAffinity() ? ProcsFrom::kQuota : ProcsFrom::kCpus,
                         std::memory_order_relaxed);
  int32_t n = ProcsFromEnvironment(ncpu);
  LockGuard l(&sched.lock);
  if (early_procs != 0) {
    n = early_procs;
    sched.procs_from.store(ProcsFrom::kProgram, std::memory_order_relaxed);
  }
  if (ProcResize(n) != nullptr) Throw("unknown runnable goroutine during bootstrap");
}

}  // namespace

void InitStep(const char* name, void (*fn)()) {
  if (n_trace == kMaxTraceLines) Throw("inittrace: too many steps");
  TraceLine& line = trace[n_trace++];
  line.name = name;
  line.start_ns = Nanotime();
  if (sched.start_ns == 0) sched.start_ns = line.start_ns;
  fn();
  line.ns = Nanotime() - line.start_ns;
}

void PrintInitTrace() {
  for (int i = 0; i < n_trace && godebug.inittrace != 0; ++i) {
    Printer() << "init " << trace[i].name << " @" << (trace[i].start_ns - sched.start_ns) / 1000
              << " us, " << trace[i].ns << " ns\n";
  }
  if (godebug.inittrace != 0) {
    Printer() << "init total @0 us, " << sched.runtime_init_time - sched.start_ns << " ns\n";
  }
  n_trace = 0;
}

bool EarlyGoMaxProcs(int32_t n, int32_t* old) {
  if (sched.initialised.load(std::memory_order_acquire)) return false;  // pairs with: SchedInit
  // The value that ProcsInit would take; ProcsInit reports a value that cannot be used.
  int64_t v = 0;
  const char* text = getenv("GOMAXPROCS");
  const bool usable = text != nullptr && ParseInt64(text, strlen(text), &v) && v > 0;
  const int32_t dflt =
      usable ? static_cast<int32_t>(v < kMaxProcs ? v : kMaxProcs) : DefaultProcs();
  LockGuard l(&sched.lock);
  if (gomaxprocs.load(std::memory_order_relaxed) != 0) return false;
  *old = early_procs != 0 ? early_procs : dflt;
  if (n >= 1) early_procs = n;
  return true;
}

void SchedInit() {
  InitStep("lockinit", &LockInit);
  InitStep("maxmcount", &MaxMCountInit);
  InitStep("tracebackinit", &TracebackInit);
  InitStep("linkverify", &LinkVerify);
  InitStep("stackinit", &StackInit);
  InitStep("mallocinit", &HeapInit);
  InitStep("randinit", &RandInit);
  InitStep("mcommoninit", &MCommonInit0);
  InitStep("cpuinit", &CpuFeatures);
  InitStep("hashinit", &HashInit);
  InitStep("initsigmask", &SigMaskInit);
  InitStep("goargs", &NoteProgramName);
  InitStep("goenvs", &ReadEnvironment);
  InitStep("parsedebugvars", &ParseDebugVars);
  InitStep("gcinit", &GcInit);
  InitStep("lastpoll", &LastPollInit);
  InitStep("procresize", &ProcsInit);
  sched.initialised.store(true, std::memory_order_release);  // pairs with: runtime's Started
}

}  // namespace gort::rt
