#include "gort/leak/internal/stop_threads.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstring>
#include <string_view>

#include "gort/base/attributes.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/sched.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/futex.h"
#include "gort/platforms/thread.h"
#include "gort/preempt/preempt.h"
#include "gort/signals/signals.h"

namespace gort::rt {
namespace {

constexpr size_t kMostThreads = 16384;
constexpr int64_t kLookNs = 20'000;

// What asker and handlers share. The word is odd while threads are to stand.
struct Meeting {
  std::atomic<uint32_t> word{0};
  std::atomic<uint32_t> here{0};  // handlers that have a place, or found none
  std::atomic<uint32_t> done{0};  // of them, those whose place is written
  std::atomic<uint32_t> inside{0};
  StoppedThread* places = nullptr;
};
constinit Meeting meeting;
constinit std::atomic<int> asker{0};

// A SignalFn.
bool Stand(siginfo_t*, SigCtx& ctx, G* gp) {
  if ((meeting.word.load(std::memory_order_acquire) & 1) == 0) return false;  // pairs with: Stop
  meeting.inside.fetch_add(1);
  const uint32_t word = meeting.word.load();
  const int tid = ThreadId();
  if ((word & 1) != 0 && tid != asker.load(std::memory_order_relaxed)) {
    const uint32_t i = meeting.here.fetch_add(1);
    if (i < kMostThreads) {
      const auto frame = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
      StoppedThread* places = meeting.places;
      places[i] = {.tid = tid, .pc = ctx.pc(), .sp = ctx.sp(), .frame = frame, .g = gp};
    }
    meeting.done.fetch_add(1, std::memory_order_release);  // pairs with: Stop
    while (meeting.word.load() == word) FutexSleep(&meeting.word, word, -1);
  }
  meeting.inside.fetch_sub(1);
  // The kernel may have merged an M's signal with one of pre-emption, which then has its turn. On
  // another thread the signal is ours alone.
  return gp == nullptr || gp->foreign;
}

M* MOf(int tid) {
  for (M* mp = allm.load(std::memory_order_acquire); mp != nullptr; mp = mp->alllink) {
    if (mp->tid.load(std::memory_order_relaxed) == tid) return mp;
  }
  return nullptr;
}

// The numbers of all threads, from the directory that has one entry for each.
bool ListThreads(Grow<char>* buffer, Grow<int>* out) {
  const int fd = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  out->Clear();
  long n;
  while ((n = syscall(SYS_getdents64, fd, buffer->begin(), size_t{32} << 10)) > 0) {
    for (long at = 0; at < n;) {
      const char* entry = buffer->begin() + at;
      uint16_t bytes;
      memcpy(&bytes, entry + 16, sizeof bytes);
      int tid = 0;
      for (const char* p = entry + 19; *p >= '0' && *p <= '9'; ++p) tid = tid * 10 + (*p - '0');
      if (tid != 0) out->Push(tid);
      at += bytes;
    }
  }
  close(fd);
  return n == 0;
}

// Whether the first thread has ended. It is listed for as long as others live, and never stands.
bool FirstHasEnded() {
  char path[48] = "/proc/self/task/";
  char* const number = path + strlen(path);
  char* const end = std::to_chars(number, path + sizeof path - sizeof "/stat", ProcessId()).ptr;
  memcpy(end, "/stat", sizeof "/stat");
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char text[128];  // "17 (its name) Z ...", whatever is in the name
  const ssize_t n = read(fd, text, sizeof text);
  close(fd);
  const std::string_view stat(text, n > 0 ? static_cast<size_t>(n) : 0);
  const size_t name_end = stat.rfind(") ");
  return name_end != stat.npos && name_end + 2 < stat.size() && stat[name_end + 2] == 'Z';
}

}  // namespace

void StopThreads::Install() {
  static constinit std::atomic<bool> installed{false};
  if (!installed.exchange(true)) SignalRegister(PreemptSignal(), &Stand);
}

bool StopThreads::Prepare() {
  return threads_.Reserve(2 * kMostThreads) && staying_.Reserve(kMostThreads) &&
         listed_.Reserve(kMostThreads) && asked_.Reserve(kMostThreads) &&
         text_.Reserve(size_t{32} << 10);
}

// Whether the thread waits in the handler of pre-emption, which blocks our signal; then notes it as
// standing.
bool StopThreads::Stays(int tid) {
  const M* mp = MOf(tid);
  if (mp == nullptr) return false;
  G* gp = mp->lockedg.load(std::memory_order_relaxed);
  if (gp == nullptr || gp->signal_context == nullptr) return false;
  const SigCtx ctx(gp->signal_context);
  const auto frame = reinterpret_cast<uintptr_t>(ctx.raw());
  staying_.Push({.tid = tid, .pc = ctx.pc(), .sp = ctx.sp(), .frame = frame, .g = gp});
  return true;
}

// Asks the threads that have not been asked. True: all threads there are stood before the look at
// them began, so that none of them has made another one since.
bool StopThreads::AllStand() {
  const uint32_t n = meeting.done.load(std::memory_order_acquire);  // pairs with: Stand
  if (n > kMostThreads || !ListThreads(&text_, &listed_)) return false;
  const StoppedThread* places = threads_.begin();
  staying_.Clear();
  std::sort(listed_.begin(), listed_.end());
  // An emulator's own threads, which it has from its start.
  int skip = ThreadCountAtEntry() - 1;
  bool all = true;
  for (const int tid : listed_) {
    if (tid == asker.load(std::memory_order_relaxed)) continue;
    if (tid != ProcessId() && skip > 0) {
      --skip;
      continue;
    }
    auto is_it = [tid](const StoppedThread& t) { return t.tid == tid; };
    if (std::any_of(places, places + n, is_it)) continue;
    if (tid == ProcessId() && FirstHasEnded()) continue;
    if (std::find(asked_.begin(), asked_.end(), tid) == asked_.end()) {
      asked_.Push(tid);
      ThreadKill(tid, PreemptSignal());
      all = false;
    } else if (!Stays(tid)) {
      all = false;
    }
  }
  return all && n == meeting.here.load();
}

bool StopThreads::Stop(int64_t deadline) {
  meeting.places = threads_.begin();
  meeting.here.store(0);
  meeting.done.store(0);
  asked_.Clear();
  asker.store(ThreadId(), std::memory_order_relaxed);
  stopped_ = true;
  meeting.word.fetch_add(1);  // pairs with: Stand
  while (!AllStand()) {
    if (Nanotime() >= deadline) {
      Resume();
      return false;
    }
    ThreadSleep(kLookNs);
  }
  threads_.Resize(meeting.done.load());
  for (const StoppedThread& t : staying_) threads_.Push(t);
  return true;
}

void StopThreads::Resume() {
  if (!stopped_) return;
  stopped_ = false;
  meeting.word.fetch_add(1);
  FutexWake(&meeting.word, INT32_MAX);
  while (meeting.inside.load() != 0) ThreadSleep(kLookNs);
}

}  // namespace gort::rt
