#include "gort/gmp/trace_hook.h"

#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"

namespace gort::rt {
namespace {

P* CallersP() {
  const G* self = Getg();
  return self != nullptr ? self->m->p.load(std::memory_order_relaxed) : nullptr;
}

WokenBy Caller() {
  const G* self = Getg();
  if (self == nullptr || self->foreign) return WokenBy::kThread;
  return self == self->m->g0 ? WokenBy::kTimer : WokenBy::kGoroutine;
}

}  // namespace

constinit Hook<void(P*, TraceEv, G*, uint64_t)> trace_hook{[](P*, TraceEv, G*, uint64_t) {}};

namespace internal {

void TraceHere(TraceEv ev, G* gp, uint64_t arg) { trace_hook(CallersP(), ev, gp, arg); }

void TraceReadyHere(G* gp) {
  trace_hook(CallersP(), TraceEv::kGoReady, gp, static_cast<uint64_t>(Caller()));
}

}  // namespace internal
}  // namespace gort::rt
