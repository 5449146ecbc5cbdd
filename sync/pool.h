// gort/sync/pool.h: objects that are expensive to make, kept for the next user.
// What      gort::Pool<T>. Get returns one of the objects that were Put, or a new one; Put keeps a
//           bounded number per P (kPoolShardCap) and destroys the others. With a maker, new objects
//           come from it; otherwise they are value-initialised, or null if T cannot be.
// Layer     10.                                        Go: sync.Pool; differs: bounded, not emptied
//           by a collector
// Contract  | call     | goroutine | other thread | parks              | allocates          |
//           | Get, Put |     x     |      x       | if T or maker does | first Put; new T   |
#ifndef GORT_SYNC_POOL_H_
#define GORT_SYNC_POOL_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace gort {
namespace rt {

inline constexpr int kPoolShardCap = 64;

struct PoolShard;

// The untyped pool: pointers that it neither owns nor looks at.
class PoolCore {
 public:
  constexpr PoolCore() = default;
  ~PoolCore();
  PoolCore(const PoolCore&) = delete;
  PoolCore& operator=(const PoolCore&) = delete;

  // Keeps p; false: no room.
  bool Put(void* p);
  // A pointer that was put, from this P's shard if it has one; null: there is none.
  void* Get();

 private:
  PoolShard* Shards();

  std::atomic<PoolShard*> shards_{nullptr};  // null until the first Put
  std::atomic<int> n_{0};                    // how many; written before shards_
};

}  // namespace rt

template <class T>
class Pool {
 public:
  Pool() = default;
  explicit Pool(std::function<std::unique_ptr<T>()> maker) : maker_(std::move(maker)) {}
  ~Pool() {
    while (void* p = core_.Get()) delete static_cast<T*>(p);
  }

  std::unique_ptr<T> Get() {
    if (void* p = core_.Get()) return std::unique_ptr<T>(static_cast<T*>(p));
    if (maker_) return maker_();
    if constexpr (std::is_default_constructible_v<T>) {
      return std::make_unique<T>();
    } else {
      return nullptr;
    }
  }

  // Null: no effect.
  void Put(std::unique_ptr<T> p) {
    if (p != nullptr && core_.Put(p.get())) p.release();
  }

 private:
  rt::PoolCore core_;
  std::function<std::unique_ptr<T>()> maker_;
};

}  // namespace gort

#endif  // GORT_SYNC_POOL_H_
