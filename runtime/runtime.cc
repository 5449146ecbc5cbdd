#include "gort/runtime.h"

#include "gort/gmp/getg.h"
#include "gort/gmp/sched.h"
#include "gort/platforms/cpu.h"
#include "gort/proc/proc.h"
#include "gort/traceback/traceback.h"

namespace gort {

void Gosched() { rt::Gosched(); }
void Goexit() { rt::Goexit(); }
int GOMAXPROCS(int n) { return rt::GoMaxProcs(n); }
int SetMaxThreads(int n) { return rt::SetMaxThreads(n); }
int NumCPU() {
  if (rt::ncpu != 0) return rt::ncpu;
  return rt::DefaultProcs();  // not started yet
}
int NumGoroutine() { return static_cast<int>(rt::GCount()); }
uint64_t Goid() {
  rt::G* gp = rt::Getg();
  return gp != nullptr ? gp->goid : 0;
}
void LockOSThread() {
  if (!rt::OnGoroutine()) return;
  rt::StartTemplateThread();
  rt::LockOSThread();
}
void UnlockOSThread() {
  if (rt::OnGoroutine()) rt::UnlockOSThread();
}

std::string Stack(bool all) { return rt::StackText(all); }

}  // namespace gort
