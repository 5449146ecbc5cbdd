#include "gort/trace/internal/merge.h"

namespace gort::rt {

void Merge::Settle(int stream) {
  Cursor& c = cursors_[stream];
  c.has = false;
  while (c.at >= c.used) {
    // In this order: what is in the chunk when it has a next one is all that there will be.
    Chunk* next = c.chunk->next.load(std::memory_order_acquire);  // pairs with: NextChunk
    c.used = c.chunk->used.load(std::memory_order_acquire);       // pairs with: Publish
    if (c.at < c.used) break;
    if (next == nullptr) return;
    if (firsts_ == nullptr) RecycleChunk(c.chunk);
    c.chunk = next;
    c.at = 0;
    c.used = 0;
  }
  c.has = true;
  c.ticks = c.chunk->base + HeadDelta(c.chunk->words[c.at]);
}

void Merge::Refresh() {
  for (int s = 0; s < kStreams; ++s) {
    Cursor& c = cursors_[s];
    if (c.chunk == nullptr) {
      c.chunk = firsts_ != nullptr ? firsts_[s] : StreamFirst(s);
      if (c.chunk == nullptr) continue;
      active_[n_active_++] = s;
    }
    Settle(s);
  }
}

void Merge::Advance(int stream) {
  Cursor& c = cursors_[stream];
  const uint64_t head = c.chunk->words[c.at];
  c.at += RecordWords(HeadKind(head), HeadSub(head));
  Settle(stream);
}

int Merge::First() const {
  int first = -1;
  for (int i = 0; i < n_active_; ++i) {
    const Cursor& c = cursors_[active_[i]];
    if (c.has && (first < 0 || c.ticks < cursors_[first].ticks)) first = active_[i];
  }
  return first;
}

uint64_t Merge::OthersFrom(int stream, uint64_t limit) const {
  uint64_t until = limit;
  for (int i = 0; i < n_active_; ++i) {
    const Cursor& c = cursors_[active_[i]];
    if (active_[i] != stream && c.has && c.ticks < until) until = c.ticks;
  }
  return until;
}

}  // namespace gort::rt
