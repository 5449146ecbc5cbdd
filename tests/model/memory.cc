#include "gort/tests/model/memory.h"

#include <algorithm>

namespace gort::rt::model {
namespace {

bool IsAcquire(std::memory_order order) {
  return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

bool IsRelease(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

uint32_t Tick(int thread, Clock* clock) { return ++clock->at[thread]; }

}  // namespace

void Memory::Reset() {
  for (uint32_t i = 0; i < used_; i++) {
    Location& l = locations_[i];
    l.stores.clear();
    for (auto& seen : l.seen) seen.clear();
    l.sc_floor = 0;
    std::fill(std::begin(l.last_read), std::end(l.last_read), Seen{});
    l.relaxed_loads.clear();
  }
  used_ = 0;
  open_ = void_ = false;
}

uint32_t Memory::Add(uint64_t value) {
  if (used_ == locations_.size()) locations_.emplace_back();
  locations_[used_].stores.push_back({value, {}});
  return used_++;
}

// The oldest store that coherence lets a step with this clock return.
uint32_t Memory::Floor(const Location& l, const Clock& clock) const {
  uint32_t floor = 0;
  for (int t = 0; t < kMaxThreads; t++) {
    for (auto it = l.seen[t].rbegin(); it != l.seen[t].rend(); ++it) {
      if (!clock.Covers(t, it->time)) continue;
      floor = std::max(floor, it->index);
      break;
    }
  }
  return floor;
}

void Memory::See(Location* l, int thread, const Clock& clock, uint32_t index,
                 std::memory_order order) {
  l->seen[thread].push_back({clock.at[thread], index});
  if (order == std::memory_order_seq_cst) l->sc_floor = std::max(l->sc_floor, index);
}

// A step that happens after the load that waits for its store may not touch the location before
// that store: whatever it did would come too early in the modification order.
void Memory::CheckOpen(uint32_t location, const Clock& clock) {
  if (open_ && location == open_location_ && clock.Covers(open_load_.thread, open_load_.time)) {
    void_ = true;
  }
}

uint64_t Memory::Load(uint32_t location, int thread, Clock* clock, std::memory_order order) {
  Location& l = locations_[location];
  const uint32_t time = Tick(thread, clock);
  CheckOpen(location, *clock);
  const uint32_t newest = static_cast<uint32_t>(l.stores.size()) - 1;
  uint32_t floor = Floor(l, *clock);
  if (order == std::memory_order_seq_cst) floor = std::max(floor, l.sc_floor);
  Seen& last = l.last_read[thread];
  if (last.time >= max_stale_reads_ && last.index >= floor && last.index < newest) {
    floor = last.index + 1;
  }
  const bool may_be_early = future_reads_ && order == std::memory_order_relaxed && !open_;
  size_t node = Choices::kNoNode;
  Choices::LoadChoice choice;
  if (may_be_early) {
    choice = choices_->ChooseLoad(newest - floor + 1, &node);
  } else {
    choice.index = choices_->Choose(newest - floor + 1);
  }
  if (choice.future) {
    open_ = true;
    open_location_ = location;
    open_load_ = {thread, time, node, choice.value};
    remark_ = ", ahead of its store";
    return choice.value;
  }
  const uint32_t index = newest - choice.index;
  remark_ = index != newest ? ", old" : "";
  loaded_index_ = index;
  loaded_old_ = index != newest;
  last = {index == newest ? 0 : last.index == index ? last.time + 1 : 1, index};
  See(&l, thread, *clock, index, order);
  if (IsAcquire(order)) clock->Join(l.stores[index].release);
  const uint64_t value = l.stores[index].value;
  if (may_be_early) l.relaxed_loads.push_back({thread, time, node, value});
  return value;
}

// A store of `value` by thread: ends the wait of an open load, and is an alternative for earlier
// loads that it does not happen after.
void Memory::MeetFuture(Location* l, uint32_t location, int thread, const Clock& clock,
                        uint64_t value) {
  if (open_ && location == open_location_ && value == open_load_.value) {
    open_ = false;
    l->seen[open_load_.thread].push_back(
        {open_load_.time, static_cast<uint32_t>(l->stores.size()) - 1});
  }
  for (const RelaxedLoad& load : l->relaxed_loads) {
    if (load.thread == thread || clock.Covers(load.thread, load.time)) continue;
    if (load.value == value || l->seen[load.thread].back().time != load.time) continue;
    choices_->AddFuture(load.node, value);
  }
}

void Memory::Append(Location* l, int thread, const Clock& clock, uint64_t value,
                    const Clock& release, std::memory_order order) {
  l->stores.push_back({value, release});
  See(l, thread, clock, static_cast<uint32_t>(l->stores.size()) - 1, order);
}

void Memory::Store(uint32_t location, int thread, Clock* clock, uint64_t value,
                   std::memory_order order) {
  Location& l = locations_[location];
  Tick(thread, clock);
  CheckOpen(location, *clock);
  Append(&l, thread, *clock, value, IsRelease(order) ? *clock : Clock{}, order);
  if (future_reads_) MeetFuture(&l, location, thread, *clock, value);
}

void Memory::RmwStore(uint32_t location, int thread, Clock* clock, uint64_t value,
                      std::memory_order order) {
  Location& l = locations_[location];
  Tick(thread, clock);
  CheckOpen(location, *clock);
  // A read-modify-write goes on with the release sequence of the store it reads.
  Clock release = l.stores.back().release;
  if (IsAcquire(order)) clock->Join(release);
  if (IsRelease(order)) release.Join(*clock);
  Append(&l, thread, *clock, value, release, order);
  if (future_reads_) MeetFuture(&l, location, thread, *clock, value);
}

void Memory::RmwFail(uint32_t location, int thread, Clock* clock, std::memory_order order) {
  Location& l = locations_[location];
  Tick(thread, clock);
  CheckOpen(location, *clock);
  See(&l, thread, *clock, static_cast<uint32_t>(l.stores.size()) - 1, order);
  if (IsAcquire(order)) clock->Join(l.stores.back().release);
}

}  // namespace gort::rt::model
