// proc/template_thread.cc: the thread that makes threads for Ms whose own must not be copied.
//
// A new thread inherits what belongs to its creator: the CPUs it may run on, its namespaces, ids,
// capabilities, filters, signal mask. A program may change these of a thread that it has wired with
// LockOSThread, or that it has made itself; an M created there would run everybody's goroutines with
// them for ever. So such a creator, and a signal handler, leaves the M here, and the template thread, which runs no code
// but this, makes its thread. The template thread is created from a thread that is fit to be copied:
// by the first goroutine that asks to be wired, just before it is, or else by sysmon.
// Go: startTemplateThread, templateThread, newmHandoff (proc.go); differs: a thread that is not the
// runtime's asks sysmon, where Go starts the template thread with every program that uses C.
#include <atomic>

#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/sched.h"
#include "gort/lock/note.h"
#include "gort/platforms/thread.h"
#include "gort/proc/boot.h"
#include "gort/proc/internal/ms_and_ps.h"
#include "gort/proc/monitor.h"
#include "gort/proc/proc.h"
#include "gort/proc/stay.h"

namespace gort::rt {
namespace {

struct TemplateThread {
  std::atomic<bool> asked{false};     // somebody left an M before there was the thread
  std::atomic<bool> starting{false};  // somebody makes its thread
  std::atomic<bool> started{false};   // the thread exists
  M* ms ABSL_GUARDED_BY(sched.lock) = nullptr;
  bool spare_wanted ABSL_GUARDED_BY(sched.lock) = false;
  std::atomic<int32_t> births{0};  // Ps that wait for a thread to be made and to begin
  bool woken ABSL_GUARDED_BY(sched.lock) = false;
  Note more;  // woken when there is something to do and `woken` was not set
};
constinit TemplateThread template_thread;

void Wake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sched.lock) {
  template_thread.asked.store(true, std::memory_order_relaxed);
  WakeSysmonIfWaiting();
  if (template_thread.woken) return;
  template_thread.woken = true;
  template_thread.more.Wakeup();
}

struct Wanted {
  M* ms;
  bool spare;
};

Wanted Take() {
  LockGuard l(&sched.lock);
  const Wanted wanted{template_thread.ms, template_thread.spare_wanted};
  template_thread.ms = nullptr;
  template_thread.woken = false;
  template_thread.more.Clear();
  return wanted;
}

void MakeSpare() {
  MakeSpareM();
  LockGuard l(&sched.lock);
  template_thread.spare_wanted = false;
}

// Go: templateThread
void Loop() {
  ThreadSetName("gort-template");
  {
    LockGuard l(&sched.lock);
    ++sched.nmsys;
    CheckDead();
  }
  while (true) {
    template_thread.more.Sleep();
    const Wanted wanted = Take();
    for (M* mp = wanted.ms; mp != nullptr;) {
      M* next = mp->schedlink;
      mp->schedlink = nullptr;
      MCreateThread(mp);
      mp = next;
    }
    if (wanted.spare) MakeSpare();
  }
}

}  // namespace

void StartTemplateThread() {
  if (template_thread.starting.exchange(true)) return;
  NewM(&Loop, nullptr, -1);
  template_thread.started.store(true);
}

bool TemplateThreadWanted() {
  return template_thread.asked.load(std::memory_order_relaxed) &&
         !template_thread.starting.load(std::memory_order_relaxed);
}

// Not done: at sysmon's next look.
void StartTemplateThreadIfAsked() {
  if (TemplateThreadWanted()) WithNobodyWaiting(&StartTemplateThread);
}

bool LeaveToTemplateThread(M* mp) {
  const G* gp = Getg();
  const bool started = template_thread.started.load(std::memory_order_relaxed);
  if (!started && gp != nullptr && !gp->foreign && gp->m->locked_ext == 0) return false;
  LockGuard l(&sched.lock);
  // Start-up: the process is as its creator wanted it, and nobody would start the thread.
  if (sched.nmsys == 0 && !started) return false;
  mp->schedlink = template_thread.ms;
  template_thread.ms = mp;
  Wake();
  return true;
}

void AskForSpareM() {
  if (template_thread.spare_wanted) return;
  template_thread.spare_wanted = true;
  Wake();
}

void CountBirths(int n) { template_thread.births.fetch_add(n, std::memory_order_relaxed); }
bool BirthsPending() { return template_thread.births.load(std::memory_order_relaxed) != 0; }

}  // namespace gort::rt
