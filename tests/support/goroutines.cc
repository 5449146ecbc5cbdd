#include "gort/tests/support/goroutines.h"

#include "gort/gmp/status.h"
#include "gort/gmp/wait_reason.h"
#include "gort/platforms/clock.h"
#include "gort/proc/proc.h"
#include "gort/runtime.h"

namespace gort::testing {

void InGort(const std::function<void()>& body) {
  gort::Run([&] {
    body();
    return 0;
  });
}

void Yield() { gort::Gosched(); }

bool Eventually(const std::function<bool()>& cond) {
  const int64_t deadline = rt::Nanotime() + 30'000'000'000;
  while (!cond()) {
    if (rt::Nanotime() > deadline) return false;
    Yield();
  }
  return true;
}

void AttachThread() { rt::CurrentG(); }

Procs::Procs(int n) : before_(gort::GOMAXPROCS(n)) {}
Procs::~Procs() { gort::GOMAXPROCS(before_); }

void Probe::State::Enter() { gp.store(rt::CurrentG()); }

bool Probe::Parked() const {
  rt::G* gp = s_->gp.load();
  return gp != nullptr && (rt::ReadGStatus(gp) & ~rt::kGScan) == rt::kGWaiting;
}

bool Probe::Settle() const {
  return Eventually([this] { return done() || Parked(); });
}

std::string Probe::Waits() const {
  while (Settle()) {
    if (done()) return "";
    // Frozen meanwhile: who wakes it, if only by way of the kernel, comes after the look.
    rt::G* gp = s_->gp.load();
    if (!rt::CasToGScanStatus(gp, rt::kGWaiting)) continue;
    const rt::WaitReason reason = gp->waitreason;
    rt::CasFromGScanStatus(gp, rt::kGWaiting | rt::kGScan);
    return rt::WaitReasonText(reason);
  }
  return "running";
}

}  // namespace gort::testing
