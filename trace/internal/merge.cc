#include "gort/trace/internal/merge.h"

namespace gort::rt {
namespace {

// The place among records of one time.
int Rank(uint8_t kind) {
  switch (static_cast<TraceEv>(kind)) {
    case TraceEv::kGoCreate:
    case TraceEv::kGoReady:
      return 1;
    case TraceEv::kSteal:
      return 2;
    case TraceEv::kGoStart:
    case TraceEv::kSysExit:
      return 3;
    default:
      return 0;
  }
}

bool Before(const Record& a, const Record& b) {
  return a.ticks != b.ticks ? a.ticks < b.ticks : Rank(a.kind) < Rank(b.kind);
}

}  // namespace

void Merge::Restart(Chunk* const* firsts, uint64_t until) {
  n_active_ = 0;
  until_ = until;
  for (int s = 0; s < kStreams; ++s) {
    if (firsts[s] == nullptr) continue;
    active_[n_active_++] = s;
    Enter(&cursors_[s], firsts[s]);
    Advance(s);
  }
}

void Merge::Enter(Cursor* c, Chunk* chunk) {
  c->chunk = chunk;
  c->at = 0;
  c->used = 0;
  c->record.ticks = chunk->base;
  c->record.place = 0;
}

void Merge::Advance(int stream) {
  Cursor& c = cursors_[stream];
  c.has = false;
  while (c.at >= c.used) {
    // In this order: what is in the chunk when it has a next one is all that there will be.
    Chunk* next = c.chunk->next.load(std::memory_order_acquire);  // pairs with: NextChunk
    c.used = c.chunk->used.load(std::memory_order_acquire);       // pairs with: Publish
    if (c.at < c.used) break;
    if (next == nullptr) return;
    Enter(&c, next);
  }
  const uint64_t* words = c.chunk->words + c.at;
  const uint64_t head = words[0];
  c.at += WordsOf(head);
  c.goid = c.chunk->goid_base + ShortGoid(head);
  c.record.kind = HeadKind(head);
  c.record.sub = HeadSub(head);
  c.record.ticks += HeadDelta(head);
  c.has = c.record.ticks <= until_;
  c.record.words = IsShort(head) ? &c.goid : words + 1;
  if (c.record.kind == kRecPlace) c.record.place = words[1];
}

int Merge::First() const {
  int first = -1;
  for (int i = 0; i < n_active_; ++i) {
    const Cursor& c = cursors_[active_[i]];
    if (c.has && (first < 0 || Before(c.record, cursors_[first].record))) first = active_[i];
  }
  return first;
}

uint64_t Merge::OthersFrom(int stream) const {
  uint64_t until = UINT64_MAX;
  for (int i = 0; i < n_active_; ++i) {
    const Cursor& c = cursors_[active_[i]];
    if (active_[i] != stream && c.has && c.record.ticks < until) until = c.record.ticks;
  }
  return until;
}

}  // namespace gort::rt
