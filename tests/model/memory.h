// tests/model/memory.h: what a load may return under the C++20 memory model.
// What      Each location keeps all its stores in modification order, which here is the order of
//           execution. A load may return any store that coherence, happens-before and the order of
//           the seq_cst operations do not exclude; which one is a decision of Choices.
//           Read-modify-writes and failed compare-and-swaps see the newest store.
// Future    With options.future_reads a relaxed load may also return what another thread stores
//           only later (load buffering), provided that the store does not happen after the load;
//           an execution in which that store does not come is void. Values are learnt from earlier
//           executions, so none is made out of thin air. One such load is open at a time.
// Misses    A store never enters the modification order before one that was executed earlier
//           (2+2W), a weak compare-and-swap never fails for no reason. The same old store is
//           returned to one thread max_stale_reads times in a row at most: stores do get visible in
//           the end.
#ifndef GORT_TESTS_MODEL_MEMORY_H_
#define GORT_TESTS_MODEL_MEMORY_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "gort/tests/model/choices.h"
#include "gort/tests/model/clock.h"

namespace gort::rt::model {

class Memory {
 public:
  Memory(Choices* choices, int max_stale_reads, bool future_reads)
      : choices_(choices), max_stale_reads_(max_stale_reads), future_reads_(future_reads) {}

  void Reset();
  // A new location that held `value` since ever.
  uint32_t Add(uint64_t value);

  // Each counts as one step of thread, whose clock it updates.
  uint64_t Load(uint32_t location, int thread, Clock* clock, std::memory_order order);
  void Store(uint32_t location, int thread, Clock* clock, uint64_t value, std::memory_order order);
  // The newest value; follow with RmwStore, or with RmwFail if nothing is to be stored.
  uint64_t Newest(uint32_t location) const { return locations_[location].stores.back().value; }
  void RmwStore(uint32_t location, int thread, Clock* clock, uint64_t value,
                std::memory_order order);
  void RmwFail(uint32_t location, int thread, Clock* clock, std::memory_order order);

  // A load waits for a store that has not come.
  bool Open() const { return open_; }
  // No such store can come any more.
  bool Void() const { return void_; }
  // The place of the store that the last Load returned, in the order of the location's stores, and
  // whether there was a newer one.
  uint32_t loaded_index() const { return loaded_index_; }
  bool loaded_old() const { return loaded_old_; }
  // Stores of a location so far, the initial value included.
  uint32_t Stores(uint32_t location) const {
    return static_cast<uint32_t>(locations_[location].stores.size());
  }
  // What Load did, for the trace: "", ", old" or ", ahead of its store".
  const char* Remark() const { return remark_; }

 private:
  struct StoreRecord {
    uint64_t value;
    Clock release;  // what an acquiring reader learns; zero: nothing
  };
  struct Seen {
    uint32_t time;
    uint32_t index;
  };
  struct RelaxedLoad {
    int thread;
    uint32_t time;
    size_t node;
    uint64_t value;
  };
  struct Location {
    std::vector<StoreRecord> stores;
    std::vector<Seen> seen[kMaxThreads];  // newest store that a step of each thread knew
    uint32_t sc_floor = 0;                // newest store that a seq_cst step stored or returned
    Seen last_read[kMaxThreads] = {};     // time: how many times in a row it was an old one
    std::vector<RelaxedLoad> relaxed_loads;
  };

  uint32_t Floor(const Location& l, const Clock& clock) const;
  void See(Location* l, int thread, const Clock& clock, uint32_t index, std::memory_order order);
  void Append(Location* l, int thread, const Clock& clock, uint64_t value, const Clock& release,
              std::memory_order order);
  void CheckOpen(uint32_t location, const Clock& clock);
  void MeetFuture(Location* l, uint32_t location, int thread, const Clock& clock, uint64_t value);

  Choices* choices_;
  const uint32_t max_stale_reads_;
  const bool future_reads_;
  std::vector<Location> locations_;
  uint32_t used_ = 0;
  bool open_ = false;
  bool void_ = false;
  uint32_t open_location_ = 0;
  RelaxedLoad open_load_ = {};
  const char* remark_ = "";
  uint32_t loaded_index_ = 0;
  bool loaded_old_ = false;
};

}  // namespace gort::rt::model

#endif  // GORT_TESTS_MODEL_MEMORY_H_
