// trace/internal/merge.h: the streams of a recording as one, in the order of time.
// Layer     7. One thread: the reader.
#ifndef GORT_TRACE_INTERNAL_MERGE_H_
#define GORT_TRACE_INTERNAL_MERGE_H_

#include <cstdint>

#include "gort/trace/internal/recorder.h"

namespace gort::rt {

// A record, whatever its form in memory (record.h).
struct Record {
  uint64_t ticks = 0;
  uint64_t place = 0;               // of kRecPlace, for the kinds that have one
  const uint64_t* words = nullptr;  // those behind the first; valid until the next record
  uint8_t kind = 0;
  uint8_t sub = 0;
};

// Of records of one time, as a coarse counter gives them: one that ends a turn, or says nothing of a turn, comes before
// what makes a goroutine runnable, that before a theft, and that before a turn's beginning. Those of one stream stay
// in their order.
class Merge {
 public:
  // Begins, maybe again, with a recording that has ended, or a copy of one: by the first chunks of its streams.
  // A stream ends before its first record later than `until`.
  void Restart(Chunk* const* firsts, uint64_t until = UINT64_MAX);

  // f(stream, record) for each.
  template <class F>
  void All(F&& f) {
    int s;
    while ((s = First()) >= 0) {
      // Those of one stream before the next one of another.
      const uint64_t others = OthersFrom(s);
      do {
        f(s, cursors_[s].record);
        Advance(s);
      } while (cursors_[s].has && cursors_[s].record.ticks < others);
    }
  }

 private:
  struct Cursor {
    Chunk* chunk;
    uint32_t at;    // behind the record
    uint32_t used;  // as seen at the last look
    bool has;
    uint64_t goid;  // the words of a short record
    Record record;
  };

  void Enter(Cursor* c, Chunk* chunk);
  // Reads the next record, if there is one.
  void Advance(int stream);
  // The stream with the earliest event; -1: none has any.
  int First() const;
  uint64_t OthersFrom(int stream) const;

  Cursor cursors_[kStreams] = {};
  int active_[kStreams];  // streams that have chunks
  int n_active_ = 0;
  uint64_t until_ = UINT64_MAX;
};

}  // namespace gort::rt

#endif  // GORT_TRACE_INTERNAL_MERGE_H_
