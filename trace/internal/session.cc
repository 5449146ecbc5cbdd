#include "gort/trace/internal/session.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/sched.h"
#include "gort/gmp/switch.h"
#include "gort/gmp/trace_hook.h"
#include "gort/lock/mutex.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/futex.h"
#include "gort/platforms/thread.h"
#include "gort/proc/boot.h"
#include "gort/proc/monitor.h"
#include "gort/proc/on_goroutine.h"
#include "gort/proc/proc.h"
#include "gort/trace/internal/converter.h"
#include "gort/trace/internal/merge.h"
#include "gort/trace/internal/recorder.h"
#include "gort/trace/internal/sink.h"
#include "gort/trace/internal/spill.h"
#include "gort/trace/internal/stall.h"

namespace gort::rt {
namespace {

constexpr int64_t kPauseNs = 20'000'000;        // between two looks at how full it is
constexpr int64_t kPatienceNs = 2'000'000'000;  // of who dies, with a reader that gets nowhere

// What is on, and what the reader does. It sleeps on the word.
//   kIdle -> kStarting -> kRunning -> kEnding -> kDone -> kIdle    a file that is written at the end
//   kIdle -> kStarting -> kFlight -> kWriting -> kDone -> kFlight  what is kept is written when asked for
//   kFlight -> kStalled -> kFlight                                 the reader writes it by itself
enum Phase : uint32_t { kIdle, kStarting, kRunning, kEnding, kDone, kFlight, kWriting, kStalled };
constinit std::atomic<uint32_t> phase{kIdle};

constinit Sink sink;
constinit int result = 0;  // errno of the file; published by kDone
constinit std::atomic<bool> reader_made{false};
constinit std::atomic<int> reader_id{0};
constinit std::atomic<uint64_t> progress{0};  // changes while it converts

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
  Line(Knot a, Knot b) : from(a) {
    if (b.ticks <= a.ticks) return;
    ns_per_tick = static_cast<double>(b.ns - a.ns) / static_cast<double>(b.ticks - a.ticks);
  }
};

// What the reader works with, in memory of its own: too large for its stack.
struct Work {
  explicit Work(Sink* to) : converter(to) {}
  Converter converter;
  Merge merge;
};
alignas(Work) constinit char work_memory[sizeof(Work)] = {};
alignas(Spill) constinit char spill_memory[sizeof(Spill)] = {};
constinit Chunk* chains[kStreams] = {};

constinit char session_path[4096] = {};  // const while a file is recorded

// What a goroutine is may change while it is looked at; then it is named wrongly.
GORT_NO_TSAN void TellNames(Converter* to) {
  for (const G* gp = allgs.load(std::memory_order_acquire); gp != nullptr; gp = gp->alllink) {
    const uint32_t status = ReadGStatus(gp) & ~uint32_t{kGScan};
    if (status == kGDead || status == kGIdle || gp->goid == 0) continue;
    const size_t n = gp->name != nullptr ? strnlen(gp->name_buf, sizeof gp->name_buf) : 0;
    to->Known(gp->goid, gp->gopc, {gp->name_buf, n});
  }
}

// What merge yields, into the file.
void Convert(Work* w, Knot end) {
  const Line line(begin, end);
  uint64_t n = 0;
  w->merge.All([&](int stream, const Record& r) {
    w->converter.Event(stream, line.At(r.ticks), r);
    if (++n % 1024 == 0) progress.store(n, std::memory_order_relaxed);
  });
  w->converter.Finish(end.ns, EventsLost());
}

// One recording, until somebody ends it.
void ReadAll() {
  Spill* spill = new (spill_memory) Spill(session_path);
  while (phase.load(std::memory_order_acquire) == kRunning) {
    if (RecordingFills()) spill->Take();
    FutexSleep(&phase, kRunning, kPauseNs);
  }
  RecordingEnd();  // who has ended it may not have come to that yet
  spill->Chains(chains);
  const Knot end = Look();
  Work* w = new (work_memory) Work(&sink);
  w->merge.Restart(chains);
  Convert(w, end);
  w->~Work();
  const int spilt = spill->error();
  spill->~Spill();
  const int written = sink.Close();
  result = written != 0 ? written : spilt;
}

// What is kept, into the file. The streams are copied one after the other while they are written, and so are taken up to
// one moment, before which each is complete but for an event that it is in the middle of: else a later stream would have
// the effects of what an earlier one lacks.
// The goroutines are looked at before that moment: what the events say of them then is all that has happened since.
void WriteKept() {
  Work* w = new (work_memory) Work(&sink);
  TellNames(&w->converter);
  const Knot end = Look();
  Snapshot kept;
  const bool copied = SnapshotRecording(&kept);
  if (copied) {
    w->merge.Restart(kept.firsts, end.ticks);
    w->merge.All([w](int, const Record& r) { w->converter.LookAhead(r); });
    w->merge.Restart(kept.firsts, end.ticks);
    Convert(w, end);
    DropSnapshot(&kept);
  }
  w->~Work();
  const int written = sink.Close();
  result = copied ? written : ENOMEM;
}

// What to do when the program stalls. The path is const while the last events are kept.
struct OnStall {
  std::atomic<int64_t> look_ns{-1};  // between two looks; -1: nobody looks
  std::atomic<bool> told{false};
  std::atomic<uint32_t> since{0};  // changes with each start
  char path[4096] = {};
};
constinit OnStall on_stall;
constinit StallWatch stall_watch;  // the reader's

// Writes what is kept, once, if the program stalls.
void LookForStall() {
  const char* why = on_stall.told.load() ? nullptr : stall_watch.Look();
  uint32_t kept = kFlight;
  if (why == nullptr || !phase.compare_exchange_strong(kept, kStalled)) return;
  on_stall.told.store(true);
  const int fd = open(on_stall.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  int error = fd < 0 ? errno : 0;
  if (fd >= 0) {
    if (!sink.Open(fd)) Throw("out of memory (trace)");
    WriteKept();
    error = result;
  }
  Printer() << "gort: stall: " << why << "; " << (error == 0 ? "its trace is " : "no trace: ")
            << (error == 0 ? on_stall.path : strerror(error)) << '\n';
  phase.store(kFlight, std::memory_order_release);
  FutexWake(&phase, INT32_MAX);
}

// Until something else is to be done.
void WatchFlight() {
  const uint32_t since = on_stall.since.load();
  stall_watch.Reset();
  while (phase.load(std::memory_order_acquire) == kFlight) {
    // The reader may have slept through a stop and a start.
    if (since != on_stall.since.load()) return;
    const int64_t look_ns = on_stall.look_ns.load();
    FutexSleep(&phase, kFlight, look_ns);
    if (look_ns >= 0) LookForStall();
  }
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
  reader_id.store(ThreadId());
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
    } else if (now == kFlight) {
      WatchFlight();
      continue;
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

// Waits for the reader, as long as it writes if patience_ns is not negative; false: it has come to a stop.
bool AwaitDone(int64_t patience_ns) {
  if (ThreadId() == reader_id.load()) return false;
  uint64_t seen = progress.load(std::memory_order_relaxed);
  int64_t since = Nanotime();
  while (true) {
    const uint32_t now = phase.load(std::memory_order_acquire);
    if (now != kRunning && now != kEnding && now != kWriting) return now == kDone;
    FutexSleep(&phase, now, patience_ns < 0 ? -1 : patience_ns / 8);
    if (patience_ns < 0) continue;
    if (const uint64_t n = progress.load(std::memory_order_relaxed); n != seen) {
      seen = n;
      since = Nanotime();
    }
    if (Nanotime() - since > patience_ns) return false;
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

constinit std::atomic<bool> at_exit_says{false};  // nobody else tells how it went

// Completes the file of a process that exits without Stop, or while another goroutine is in it.
void AtExit() {
  if (ProcessId() != owner) return;
  if (!BeginEnding() && phase.load() != kEnding) return;
  if (AwaitDone(-1) && result != 0 && at_exit_says.load()) {
    Printer() << "gort: GODEBUG: trace: " << strerror(result) << '\n';
  }
}

// A child of fork(2) records nothing. It is born with the locks free: its parent's other threads, which may have held
// one, are not there.
void InstallEndings() {
  static constinit std::atomic<bool> installed{false};
  if (installed.exchange(true)) return;
  fatal_exit_hook.Set([] { SessionFlush(); });
  pthread_atfork(&RecordingForkPrepare, &RecordingForkParent, &RecordingForkChild);
  atexit(&AtExit);
}

}  // namespace

SessionResult SessionStart(const char* path) {
  const size_t n = strlen(path);
  if (n >= sizeof session_path) return {SessionResult::kSystem, ENAMETOOLONG};
  uint32_t idle = kIdle;
  if (!phase.compare_exchange_strong(idle, kStarting)) return {SessionResult::kBusy, 0};
  int error = 0;
  const int fd = OpenFile(path, &error);
  if (fd >= 0) {
    memcpy(session_path, path, n + 1);
    MakeReader();
    InstallEndings();
    if (sink.Open(fd) && BeginRecording(session_bytes, WhenFull::kLose)) {
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
constinit std::atomic<bool> flight{false};  // the last events are kept

// Takes the right to write what is kept, or to end it. False: nothing is kept, or another call is at it.
// Before the file is opened, which empties it: it may be the other call's. Waits for the reader, if that
// writes of a stall.
bool ClaimKept() {
  if (ProcessId() != owner) return false;
  while (true) {
    uint32_t kept = kFlight;
    if (phase.compare_exchange_strong(kept, kStarting)) return true;
    if (kept != kStalled) return false;
    InSyscall([] { FutexSleep(&phase, kStalled, -1); });
  }
}

// The same for a process that dies: who has the right is given some time.
bool ClaimAtLast() {
  for (const int64_t until = Nanotime() + kPatienceNs; Nanotime() < until;) {
    uint32_t now = phase.load();
    if (now == kIdle) return false;
    if ((now == kFlight || now == kDone) && phase.compare_exchange_strong(now, kStarting)) {
      return true;
    }
    FutexSleep(&phase, now, kPatienceNs / 100);
  }
  return false;
}

// Has the reader write what is kept to fd. After ClaimKept.
void BeginWriting(int fd) {
  if (!sink.Open(fd)) Throw("out of memory (trace)");
  phase.store(kWriting, std::memory_order_release);
  FutexWake(&phase, INT32_MAX);
}

}  // namespace

SessionResult FlightStart(size_t bytes, const char* on_failure, const char* stall_path,
                          int64_t stall_ns) {
  const size_t n = strlen(on_failure), stall_n = strlen(stall_path);
  if (n >= sizeof on_failure_path || stall_n >= sizeof on_stall.path) {
    return {SessionResult::kSystem, ENAMETOOLONG};
  }
  uint32_t idle = kIdle;
  if (!phase.compare_exchange_strong(idle, kStarting)) return {SessionResult::kBusy, 0};
  memcpy(on_failure_path, on_failure, n + 1);
  memcpy(on_stall.path, stall_path, stall_n + 1);
  const int64_t look_ns = std::max<int64_t>(stall_ns / StallWatch::kLooks, 1'000'000);
  on_stall.look_ns.store(stall_n != 0 ? look_ns : -1);
  on_stall.told.store(false);
  on_stall.since.fetch_add(1);
  MakeReader();
  InstallEndings();
  const bool ok = BeginRecording(bytes, WhenFull::kForgetOldest);
  flight.store(ok);
  phase.store(ok ? kFlight : kIdle, std::memory_order_release);
  FutexWake(&phase, INT32_MAX);
  return ok ? SessionResult{} : SessionResult{SessionResult::kSystem, ENOMEM};
}

SessionResult FlightWrite(const char* path) {
  if (!ClaimKept()) return {SessionResult::kNone, 0};
  int error = 0;
  const int fd = OpenFile(path, &error);
  if (fd < 0) {
    phase.store(kFlight, std::memory_order_release);
    FutexWake(&phase, INT32_MAX);
    return {SessionResult::kSystem, error};
  }
  BeginWriting(fd);
  InSyscall([] { AwaitDone(-1); });
  error = result;
  // Not if a dying process has taken over.
  uint32_t done = kDone;
  phase.compare_exchange_strong(done, kFlight);
  FutexWake(&phase, INT32_MAX);
  return error == 0 ? SessionResult{} : SessionResult{SessionResult::kSystem, error};
}

SessionResult FlightStop() {
  // A child of fork(2) may have been born with the pool's lock held: a recorder that is destroyed as it
  // exits must not wait for that.
  if (!ClaimKept()) return {SessionResult::kNone, 0};
  flight.store(false);
  RecordingEnd();
  RecordingRelease();
  phase.store(kIdle, std::memory_order_release);
  FutexWake(&phase, INT32_MAX);
  return {};
}

void SessionFlush() {
  if (ProcessId() != owner) return;
  if (BeginEnding() || phase.load() == kEnding) {
    AwaitDone(kPatienceNs);
    return;
  }
  // What another thread is writing is completed first.
  if (phase.load() == kWriting) AwaitDone(kPatienceNs);
  if (!flight.load() || on_failure_path[0] == '\0' || !ClaimAtLast()) return;
  const int fd = open(on_failure_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return;
  BeginWriting(fd);
  AwaitDone(kPatienceNs);
}

void SessionFromEnvironment(const char* path) {
  const SessionResult r = SessionStart(path);
  if (r.kind != SessionResult::kOk) {
    Printer() << "gort: GODEBUG: trace=" << path << ": " << strerror(r.error) << '\n';
    return;
  }
  at_exit_says.store(true);
}

}  // namespace gort::rt
