#include "gort/sync/pool.h"

#include "absl/base/thread_annotations.h"
#include "gort/base/attributes.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched.h"
#include "gort/lock/mutex.h"
#include "gort/proc/proc.h"

// One shard per P, by the P's id, so that its lock is nearly always free and its objects are in the
// cache of the CPU that used them last. The id is only a hint: a goroutine that moves in between
// uses another P's shard, correctly. Foreign threads share shard 0.

namespace gort::rt {

struct alignas(kCacheLine) PoolShard {
  Mutex lock{LockRank::kRoot};
  std::atomic<int> n{0};  // written under lock; others look whether it pays to lock
  void* items[kPoolShardCap] ABSL_GUARDED_BY(lock);

  bool Push(void* p) {
    LockGuard guard(&lock);
    int k = n.load(std::memory_order_relaxed);  // written under lock
    if (k == kPoolShardCap) return false;
    items[k] = p;
    n.store(k + 1, std::memory_order_relaxed);
    return true;
  }
  void* Pop() {
    if (n.load(std::memory_order_relaxed) == 0) return nullptr;  // a hint, no partner
    LockGuard guard(&lock);
    int k = n.load(std::memory_order_relaxed);  // written under lock
    if (k == 0) return nullptr;
    n.store(k - 1, std::memory_order_relaxed);
    return items[k - 1];
  }
};

namespace {

int ShardHint() {
  M* mp = AcquireM();
  P* pp = mp->p.load(std::memory_order_relaxed);  // our own
  int id = pp != nullptr ? pp->id : 0;
  ReleaseM(mp);
  return id;
}

}  // namespace

PoolCore::~PoolCore() { delete[] shards_.load(std::memory_order_acquire); }  // pairs with: Shards

PoolShard* PoolCore::Shards() {
  PoolShard* shards = shards_.load(std::memory_order_acquire);  // pairs with: below
  if (shards != nullptr) return shards;
  int cpus = ncpu > 1 ? ncpu : 1;
  int procs = gomaxprocs.load(std::memory_order_relaxed);  // a figure that may be out of date
  int expected = 0;
  n_.compare_exchange_strong(expected, procs > cpus ? procs : cpus);
  auto* fresh = new PoolShard[n_.load()];
  // pairs with: the loads of shards_
  if (shards_.compare_exchange_strong(shards, fresh, std::memory_order_acq_rel)) return fresh;
  delete[] fresh;
  return shards;
}

bool PoolCore::Put(void* p) {
  PoolShard* shards = Shards();
  return shards[ShardHint() % n_.load(std::memory_order_relaxed)].Push(p);  // set before shards_
}

void* PoolCore::Get() {
  PoolShard* shards = shards_.load(std::memory_order_acquire);  // pairs with: Shards
  if (shards == nullptr) return nullptr;
  const int n = n_.load(std::memory_order_relaxed);  // set before shards_
  int i = ShardHint() % n;
  for (int k = 0; k < n; ++k) {
    if (void* p = shards[i].Pop()) return p;
    i = i + 1 == n ? 0 : i + 1;
  }
  return nullptr;
}

}  // namespace gort::rt
