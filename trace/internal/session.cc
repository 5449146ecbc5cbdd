#include "gort/trace/internal/session.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/switch.h"
#include "gort/lock/mutex.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/futex.h"
#include "gort/platforms/thread.h"
#include "gort/proc/boot.h"
#include "gort/proc/monitor.h"
#include "gort/proc/proc.h"
#include "gort/trace/internal/converter.h"
#include "gort/trace/internal/merge.h"
#include "gort/trace/internal/recorder.h"
#include "gort/trace/internal/sink.h"

namespace gort::rt {
namespace {

constexpr size_t kMaxBytes = size_t{128} << 20;  // of events that are not in the file yet
constexpr int64_t kBusyPauseNs = 1'000'000;      // between two looks at the streams
constexpr int64_t kCalmPauseNs = 20'000'000;
constexpr int64_t kManyEvents = 1000;
constexpr int64_t kFlushNs = 2'000'000'000;

// What is on, and what the reader does. It sleeps on the word.
//   kIdle -> kStarting -> kRunning -> kEnding -> kDone -> kIdle    a file that is written meanwhile
//   kIdle -> kStarting -> kFlight -> kWriting -> kDone -> kFlight  what is kept is written when asked for
enum Phase : uint32_t { kIdle, kStarting, kRunning, kEnding, kDone, kFlight, kWriting };
constinit std::atomic<uint32_t> phase{kIdle};

constinit Sink sink;
constinit int result = 0;  // errno of the file; published by kDone
constinit std::atomic<bool> reader_made{false};

// A moment by both clocks. The counter is read before and after, for what lies between.
struct Knot {
  uint64_t ticks;
  int64_t ns;
};
Knot Look() {
  const uint64_t before = TraceTicks();
  const int64_t ns = Nanotime();
  return {before + (TraceTicks() - before) / 2, ns};
}
constinit Knot begin = {};

// Nanoseconds of a moment near the line between two knots.
struct Line {
  Knot from;
  double ns_per_tick = 1;
  int64_t At(uint64_t ticks) const {
    const auto d = static_cast<int64_t>(ticks - from.ticks);
    return from.ns + static_cast<int64_t>(static_cast<double>(d) * ns_per_tick);
  }
  // Goes on to the next knot.
  void To(Knot to) {
    if (to.ticks <= from.ticks) return;
    ns_per_tick = static_cast<double>(to.ns - from.ns) / static_cast<double>(to.ticks - from.ticks);
  }
};

// What the reader works with, in memory of its own: too large for its stack.
struct Work {
  explicit Work(Sink* to) : converter(to) {}
  Work(Sink* to, Chunk* const* firsts) : converter(to), merge(firsts) {}
  Converter converter;
  Merge merge;
  Line line;
};

int64_t Convert(Work* w, Knot until, uint64_t limit) {
  w->line.To(until);
  const int64_t n = w->merge.UpTo(limit, [w](int stream, uint64_t ticks, const uint64_t* record) {
    w->converter.Event(stream, w->line.At(ticks), record);
  });
  w->line.from = until;
  return n;
}

alignas(Work) constinit char work_memory[sizeof(Work)] = {};

// One recording, until somebody ends it.
void ReadAll() {
  Work* w = new (work_memory) Work(&sink);
  w->line.from = begin;
  while (phase.load(std::memory_order_acquire) == kRunning) {
    const Knot now = Look();
    const int64_t n = Convert(w, now, now.ticks);
    FutexSleep(&phase, kRunning, n >= kManyEvents ? kBusyPauseNs : kCalmPauseNs);
  }
  const Knot end = Look();
  Convert(w, end, UINT64_MAX);
  w->converter.Finish(end.ns, EventsLost());
  w->~Work();
  result = sink.Close();
}

// What a goroutine is may change while it is looked at; then it is named wrongly.
GORT_NO_TSAN void TellNames(Converter* to) {
  for (const G* gp = allgs.load(std::memory_order_acquire); gp != nullptr; gp = gp->alllink) {
    const uint32_t status = ReadGStatus(gp) & ~uint32_t{kGScan};
    if (status != kGDead && status != kGIdle && gp->goid != 0) to->Known(gp->goid, gp->gopc);
  }
}

// What is kept, into the file.
void WriteKept() {
  Snapshot kept;
  if (!SnapshotRecording(&kept)) {
    sink.Close();
    result = ENOMEM;
    return;
  }
  const Knot end = Look();
  Work* w = new (work_memory) Work(&sink, kept.firsts);
  w->line.from = begin;
  TellNames(&w->converter);
  Convert(w, end, UINT64_MAX);
  w->converter.Finish(end.ns, EventsLost());
  w->~Work();
  DropSnapshot(&kept);
  result = sink.Close();
}

// The file may be a pipe whose other end has gone: Stop says so, and the process lives on.
void BlockSigPipe() {
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
}

// The reader's thread: an M that never looks for goroutines.
void Reader() {
  ThreadSetName("gort-trace");
  BlockSigPipe();
  {
    LockGuard l(&sched.lock);
    ++sched.nmsys;
    CheckDead();
  }
  while (true) {
    const uint32_t now = phase.load(std::memory_order_acquire);
    if (now == kRunning || now == kEnding) {
      ReadAll();
    } else if (now == kWriting) {
      WriteKept();
    } else {
      FutexSleep(&phase, now, -1);
      continue;
    }
    phase.store(kDone, std::memory_order_release);
    FutexWake(&phase, INT32_MAX);
  }
}

// The process that the reader is in: a child of fork(2) has none, and must not wait for it.
constinit std::atomic<int> owner{0};

void MakeReader() {
  owner.store(ProcessId());
  if (!reader_made.exchange(true)) NewM(&Reader, nullptr, -1);
}

// Runs f as a system call, if the caller is a goroutine.
template <class F>
void InSyscall(F&& f) {
  const bool on_goroutine = OnGoroutine();
  if (on_goroutine) EnterSyscall();
  f();
  if (on_goroutine) ExitSyscall();
}

int OpenFile(const char* path, int* error) {
  int fd = -1;
  InSyscall([&] {
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    *error = fd < 0 ? errno : 0;
  });
  return fd;
}

bool BeginRecording(size_t bytes, WhenFull when_full) {
  bool ok = false;
  StopTheWorld(WaitReason::kStoppingTheWorld);
  begin = Look();
  OnSystemStack([&ok, bytes, when_full] { ok = RecordingBegin(bytes, when_full); });
  StartTheWorld();
  return ok;
}

// Waits for the reader; false: it took too long.
bool AwaitDone(int64_t timeout_ns) {
  const int64_t until = timeout_ns < 0 ? INT64_MAX : Nanotime() + timeout_ns;
  while (true) {
    const uint32_t now = phase.load(std::memory_order_acquire);
    if (now == kDone) return true;
    const int64_t left = until - Nanotime();
    if (left <= 0) return false;
    FutexSleep(&phase, now, timeout_ns < 0 ? -1 : left);
  }
}

// True for the one who ends the recording.
bool BeginEnding() {
  if (ProcessId() != owner) return false;
  uint32_t running = kRunning;
  if (!phase.compare_exchange_strong(running, kEnding)) return false;
  RecordingEnd();
  FutexWake(&phase, INT32_MAX);
  return true;
}

}  // namespace

SessionResult SessionStart(const char* path) {
  uint32_t idle = kIdle;
  if (!phase.compare_exchange_strong(idle, kStarting)) return {SessionResult::kBusy, 0};
  int error = 0;
  const int fd = OpenFile(path, &error);
  if (fd >= 0) {
    MakeReader();
    fatal_exit_hook.Set([] { SessionFlush(kFlushNs); });
    if (sink.Open(fd) && BeginRecording(kMaxBytes, WhenFull::kLose)) {
      phase.store(kRunning, std::memory_order_release);
      FutexWake(&phase, INT32_MAX);
      return {};
    }
    sink.Close();
    error = ENOMEM;
  }
  phase.store(kIdle, std::memory_order_release);
  return {SessionResult::kSystem, error};
}

SessionResult SessionStop() {
  if (!BeginEnding()) return {SessionResult::kNone, 0};
  InSyscall([] { AwaitDone(-1); });
  const int error = result;
  RecordingRelease();
  phase.store(kIdle, std::memory_order_release);
  FutexWake(&phase, INT32_MAX);
  return error == 0 ? SessionResult{} : SessionResult{SessionResult::kSystem, error};
}

namespace {

constinit char on_failure_path[4096] = {};

// Takes the right to write what is kept, or to end it. False: nothing is kept, or another call is at it.
// Before the file is opened, which empties it: it may be the other call's.
bool ClaimKept() {
  uint32_t flight = kFlight;
  return ProcessId() == owner && phase.compare_exchange_strong(flight, kStarting);
}

// Has the reader write what is kept to fd. After ClaimKept.
void BeginWriting(int fd) {
  if (!sink.Open(fd)) Throw("out of memory (trace)");
  phase.store(kWriting, std::memory_order_release);
  FutexWake(&phase, INT32_MAX);
}

}  // namespace

SessionResult FlightStart(size_t bytes, const char* on_failure) {
  const size_t n = strlen(on_failure);
  if (n >= sizeof on_failure_path) return {SessionResult::kSystem, ENAMETOOLONG};
  uint32_t idle = kIdle;
  if (!phase.compare_exchange_strong(idle, kStarting)) return {SessionResult::kBusy, 0};
  memcpy(on_failure_path, on_failure, n + 1);
  MakeReader();
  fatal_exit_hook.Set([] { SessionFlush(kFlushNs); });
  const bool ok = BeginRecording(bytes, WhenFull::kForgetOldest);
  phase.store(ok ? kFlight : kIdle, std::memory_order_release);
  return ok ? SessionResult{} : SessionResult{SessionResult::kSystem, ENOMEM};
}

SessionResult FlightWrite(const char* path) {
  if (!ClaimKept()) return {SessionResult::kNone, 0};
  int error = 0;
  const int fd = OpenFile(path, &error);
  if (fd < 0) {
    phase.store(kFlight, std::memory_order_release);
    return {SessionResult::kSystem, error};
  }
  BeginWriting(fd);
  InSyscall([] { AwaitDone(-1); });
  error = result;
  phase.store(kFlight, std::memory_order_release);
  return error == 0 ? SessionResult{} : SessionResult{SessionResult::kSystem, error};
}

SessionResult FlightStop() {
  // A child of fork(2) may have been born with the pool's lock held: a recorder that is destroyed as it
  // exits must not wait for that.
  if (!ClaimKept()) return {SessionResult::kNone, 0};
  RecordingEnd();
  RecordingRelease();
  phase.store(kIdle, std::memory_order_release);
  return {};
}

void SessionFlush(int64_t timeout_ns) {
  if (BeginEnding()) {
    AwaitDone(timeout_ns);
    return;
  }
  if (on_failure_path[0] == '\0' || !ClaimKept()) return;
  const int fd = open(on_failure_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return;
  BeginWriting(fd);
  AwaitDone(timeout_ns);
}

void SessionFromEnvironment(const char* path) {
  const SessionResult r = SessionStart(path);
  if (r.kind != SessionResult::kOk) {
    Printer() << "gort: GODEBUG: trace=" << path << ": " << strerror(r.error) << '\n';
    return;
  }
  atexit([] {
    const SessionResult end = SessionStop();
    if (end.kind == SessionResult::kSystem) {
      Printer() << "gort: GODEBUG: trace: " << strerror(end.error) << '\n';
    }
  });
}

}  // namespace gort::rt
