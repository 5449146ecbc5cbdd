// sync/internal/spin.h: whether and how a goroutine that wants a lock spins before it sleeps.
// Layer     10.                                        Go: sync_runtime_canSpin in proc.go
#ifndef GORT_SYNC_INTERNAL_SPIN_H_
#define GORT_SYNC_INTERNAL_SPIN_H_

namespace gort::rt {

// Spinning for the i-th time (from 0) may pay off: not too often, another CPU runs the owner
// meanwhile, and no goroutine waits for this P. Any goroutine or foreign thread.
bool CanSpin(int i);
// One round: 30 pauses.
void DoSpin();

}  // namespace gort::rt

#endif  // GORT_SYNC_INTERNAL_SPIN_H_
