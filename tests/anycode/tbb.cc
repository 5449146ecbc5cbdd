// tests/anycode/tbb.cc: locks and queues of oneTBB, which spin and yield.
#include <tbb/concurrent_hash_map.h>
#include <tbb/concurrent_queue.h>
#include <tbb/queuing_mutex.h>
#include <tbb/spin_mutex.h>
#include <tbb/spin_rw_mutex.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/row.h"

namespace anycode {
namespace {

template <class M>
Task Exclusive(int) {
  struct Shared {
    M mutex;
    Guarded guarded;
  };
  auto s = std::make_shared<Shared>();
  return {[s](Worker& w) {
            while (w.Next()) {
              typename M::scoped_lock lock(s->mutex);
              s->guarded.Visit(20);
            }
          },
          [s](int64_t ops) { ExpectEq(ops, s->guarded.entered(), "visits"); }};
}

// Leaders put values in and the others take them out; the queue has two places.
Task BoundedQueue(int workers) {
  struct Shared {
    tbb::concurrent_bounded_queue<int64_t> queue;
    std::atomic<int64_t> in{0}, out{0};
  };
  auto s = std::make_shared<Shared>();
  s->queue.set_capacity(2);
  return {[s](Worker& w) {
            if ((w.index() | 1) >= w.workers()) return void(w.Next());
            constexpr int64_t kEnd = -1;
            if (w.leads()) {
              for (int64_t v = w.index(); w.Next(); ++v) {
                s->in.fetch_add(v);
                s->queue.push(v);
              }
              s->queue.push(kEnd);
              return;
            }
            for (;;) {
              int64_t v = 0;
              s->queue.pop(v);
              if (v == kEnd) break;
              s->out.fetch_add(v);
            }
          },
          [s](int64_t) { ExpectEq(s->in.load(), s->out.load(), "sum of the values"); }};
}

// Each entry is locked while one looks at it.
Task HashMap(int) {
  using Map = tbb::concurrent_hash_map<int, Guarded>;
  auto map = std::make_shared<Map>();
  return {[map](Worker& w) {
            for (int i = w.index(); w.Next(); ++i) {
              Map::accessor entry;
              map->insert(entry, i % 7);
              entry->second.Visit(10);
            }
          },
          [map](int64_t ops) {
            int64_t entered = 0;
            for (const auto& [key, guarded] : *map) entered += guarded.entered();
            ExpectEq(ops, entered, "visits");
          }};
}

}  // namespace

Family Tbb() {
  return {"tbb",
          {{"tbb_spin_mutex", Exclusive<tbb::spin_mutex>},
           {"tbb_queuing_mutex", Exclusive<tbb::queuing_mutex>},
           {"tbb_spin_rw_mutex", Exclusive<tbb::spin_rw_mutex>},
           {"tbb_bounded_queue", BoundedQueue},
           {"tbb_hash_map", HashMap}}};
}

}  // namespace anycode
