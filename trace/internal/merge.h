// trace/internal/merge.h: the streams of a recording as one, in the order of time.
// Layer     7. One thread: the reader.
#ifndef GORT_TRACE_INTERNAL_MERGE_H_
#define GORT_TRACE_INTERNAL_MERGE_H_

#include <cstdint>

#include "gort/trace/internal/recorder.h"

namespace gort::rt {

class Merge {
 public:
  // The recording that is on; what has been read is given back.
  Merge() = default;
  // A copy of one (SnapshotRecording), by the first chunks of its streams.
  explicit Merge(Chunk* const* firsts) : firsts_(firsts) {}

  // f(stream, ticks, record) for each event that happened at `limit` ticks or before and has not been
  // given yet. One that was recorded late is given the next time. Returns how many.
  template <class F>
  int64_t UpTo(uint64_t limit, F&& f) {
    Refresh();
    int64_t n = 0;
    while (true) {
      const int s = First();
      if (s < 0 || cursors_[s].ticks > limit) return n;
      // Those of one stream up to the next one of another.
      const uint64_t until = OthersFrom(s, limit);
      do {
        Cursor& c = cursors_[s];
        f(s, c.ticks, c.chunk->words + c.at);
        ++n;
        Advance(s);
      } while (cursors_[s].has && cursors_[s].ticks <= until);
    }
  }

 private:
  struct Cursor {
    Chunk* chunk;
    uint32_t at;
    uint32_t used;  // as seen at the last look
    bool has;
    uint64_t ticks;  // of the record at `at`
  };

  // Looks at all streams.
  void Refresh();
  // Sees to it that `has` says whether there is a record.
  void Settle(int stream);
  void Advance(int stream);
  // The stream with the earliest event; -1: none has any.
  int First() const;
  uint64_t OthersFrom(int stream, uint64_t limit) const;

  Chunk* const* const firsts_ = nullptr;
  Cursor cursors_[kStreams] = {};
  int active_[kStreams];  // streams that have chunks
  int n_active_ = 0;
};

}  // namespace gort::rt

#endif  // GORT_TRACE_INTERNAL_MERGE_H_
