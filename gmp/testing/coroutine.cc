#include "gort/gmp/testing/coroutine.h"

#include <cxxabi.h>

#include <cerrno>
#include <cstdlib>

#include "gort/base/attributes.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/switch.h"
#include "gort/platforms/thread.h"

namespace gort::rt::testing {
namespace {

void Start(void* fn) {
  AfterSwitch();
  reinterpret_cast<void (*)()>(fn)();
  asm volatile("" ::: "memory");  // not a tail call: the frame stays
}

void SetStatus(G* gp, uint32_t status) {
  gp->atomicstatus.store(status, std::memory_order_release);  // pairs with: ReadGStatus
}

}  // namespace

TestThread::TestThread() {
  g0.m = &m;
  m.g0 = &g0;
  m.eh = reinterpret_cast<EhGlobals*>(abi::__cxa_get_globals());
  m.errno_ptr = &errno;
  ThreadStackBounds(&g0.stack.lo, &g0.stack.hi);
  SetStatus(&g0, kGRunning);
#if GORT_TSAN
  g0.tsan_fiber = __tsan_get_current_fiber();
#endif
  Setg(&g0);
}

TestThread::~TestThread() { Setg(nullptr); }

Coroutine::Coroutine(TestThread* thread, void (*fn)(), void* lo, size_t bytes) : thread_(thread) {
  if (lo == nullptr) {
    bytes = GORT_ASAN || GORT_TSAN ? 512 << 10 : 64 << 10;
    lo = own_ = static_cast<char*>(aligned_alloc(64, bytes));
  }
  g.stack.lo = reinterpret_cast<uintptr_t>(lo);
  g.stack.hi = g.stack.lo + bytes;
  g.entry = reinterpret_cast<void (*)(void*)>(fn);
  g.goid = 7;
  SanitizerAdoptStack(&g);
  g.sched.sp = MakeContext(g.stack.hi, &Start, reinterpret_cast<void*>(fn));
  SetStatus(&g, kGRunnable);
}

Coroutine::~Coroutine() {
  SanitizerDropStack(&g);
  free(own_);
}

void Coroutine::Resume() {
  g.m = &thread_->m;
  thread_->m.curg = &g;
  SetStatus(&g, kGRunning);
  SwitchTo(&thread_->g0, &g, nullptr);
  thread_->m.curg = nullptr;
}

void Coroutine::Park() {
  G* gp = Getg();
  SwitchTo(gp, gp->m->g0, [](G* from) { SetStatus(from, kGWaiting); });
}

}  // namespace gort::rt::testing

// Where a coroutine's function returns to. Never resumed.
extern "C" [[noreturn]] __attribute__((visibility("hidden"))) void gort_test_goexit();
void gort_test_goexit() {
  gort::rt::G* gp = gort::rt::Getg();
  gort::rt::SwitchTo(
      gp, gp->m->g0,
      [](gort::rt::G* from) {
        from->atomicstatus.store(gort::rt::kGDead, std::memory_order_release);
      },
      true);
  abort();
}
