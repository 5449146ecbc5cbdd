// proc/template_thread.cc: the thread that makes threads for Ms whose own must not be copied.
//
// A new thread inherits what belongs to its creator: the CPUs it may run on, its namespaces, ids,
// capabilities, filters, signal mask. A program may change these of a thread that it has wired with
// LockOSThread, or that it has made itself; an M created there would run everybody's goroutines with
// them for ever. So such a creator leaves the M here, and the template thread, which runs no code
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

namespace gort::rt {
namespace {

struct TemplateThread {
  std::atomic<bool> asked{false};    // somebody left an M before there was the thread
  std::atomic<bool> started{false};  // its M exists
  M* ms ABSL_GUARDED_BY(sched.lock) = nullptr;
  Note more;  // woken once for each time that ms stops being empty
};
constinit TemplateThread template_thread;

M* TakeMs() {
  LockGuard l(&sched.lock);
  M* ms = template_thread.ms;
  template_thread.ms = nullptr;
  if (ms != nullptr) template_thread.more.Clear();
  return ms;
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
    for (M* mp = TakeMs(); mp != nullptr;) {
      M* next = mp->schedlink;
      mp->schedlink = nullptr;
      MCreateThread(mp);
      mp = next;
    }
  }
}

}  // namespace

void StartTemplateThread() {
  if (template_thread.started.exchange(true)) return;
  NewM(&Loop, nullptr, -1);
}

void StartTemplateThreadIfAsked() {
  if (!template_thread.asked.load(std::memory_order_relaxed)) return;
  if (!template_thread.started.load(std::memory_order_relaxed)) StartTemplateThread();
}

bool LeaveToTemplateThread(M* mp) {
  const G* gp = Getg();
  if (gp != nullptr && !gp->foreign && gp->m->locked_ext == 0) return false;
  LockGuard l(&sched.lock);
  // Start-up: the process is as its creator wanted it, and nobody would start the thread.
  if (sched.nmsys == 0 && !template_thread.started.load(std::memory_order_relaxed)) return false;
  if (template_thread.ms == nullptr) template_thread.more.Wakeup();
  mp->schedlink = template_thread.ms;
  template_thread.ms = mp;
  template_thread.asked.store(true, std::memory_order_relaxed);
  WakeSysmonIfWaiting();
  return true;
}

}  // namespace gort::rt
