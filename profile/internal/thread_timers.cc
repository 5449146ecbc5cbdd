#include "gort/profile/internal/thread_timers.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "gort/platforms/cpu_timer.h"

namespace gort::rt {

CpuSource ThreadTimers::Start(int64_t period_ns) {
  period_ns_ = period_ns;
  source_ = CpuSource::kThreads;
  n_ = 0;
  return Follow(0);
}

bool ThreadTimers::Add(int tid) {
  int timer = 0;
  const int error = CpuTimerStart(tid, SIGPROF, period_ns_, &timer);
  if (error == EAGAIN || error == ENOSYS || error == EPERM) return false;
  if (error == 0) next_[n_next_++] = Entry{tid, timer};
  return true;  // or the thread is gone
}

CpuSource ThreadTimers::Follow(int except) {
  if (source_ != CpuSource::kThreads) return source_;
  const int n = ThreadIds(seen_, kMax);
  std::sort(seen_, seen_ + n);
  n_next_ = 0;
  int old = 0;
  bool ok = n > 0 && n < kMax;  // else there may be more of them
  for (int i = 0; i < n && ok; ++i) {
    for (; old < n_ && threads_[old].tid < seen_[i]; ++old) CpuTimerStop(threads_[old].timer);
    const bool known = old < n_ && threads_[old].tid == seen_[i];
    if (known && seen_[i] != except) {
      next_[n_next_++] = threads_[old++];
    } else if (known) {
      CpuTimerStop(threads_[old++].timer);
    } else if (seen_[i] != except) {
      ok = Add(seen_[i]);
    }
  }
  for (; ok && old < n_; ++old) CpuTimerStop(threads_[old].timer);
  if (!ok) {  // those behind the one that failed
    for (; old < n_; ++old) next_[n_next_++] = threads_[old];
  }
  memcpy(threads_, next_, static_cast<size_t>(n_next_) * sizeof *next_);
  n_ = n_next_;
  return ok ? source_ : FallBack();
}

CpuSource ThreadTimers::FallBack() {
  Drop();
  source_ = ProcessTimerStart(period_ns_) ? CpuSource::kProcess : CpuSource::kNone;
  return source_;
}

void ThreadTimers::Drop() {
  for (int i = 0; i < n_; ++i) CpuTimerStop(threads_[i].timer);
  n_ = 0;
}

void ThreadTimers::Stop() {
  Drop();
  if (source_ == CpuSource::kProcess) ProcessTimerStop();
  source_ = CpuSource::kNone;
}

}  // namespace gort::rt
