// trace/internal/record.h: how events lie in memory.
// What      a record is one word that says when, what and who; where that does not fit, or there is more
//           to say, words follow. Records lie in chunks; a chunk has one producer, who publishes by
//           `used`, and one reader.
// Layer     7. Any stack.
#ifndef GORT_TRACE_INTERNAL_RECORD_H_
#define GORT_TRACE_INTERNAL_RECORD_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "gort/gmp/trace_hook.h"

namespace gort::rt {

// The kinds of records: TraceEv's, and these.
enum : uint8_t {
  kRecState = static_cast<uint8_t>(TraceEv::kCount),  // a goroutine that was there at the beginning
  kRecName,                                           // a goroutine's GoOptions::name
  kRecLost,         // so many events did not find room before this
  kRecPlace,        // where goroutines of what follows were made
  kRecRegionBegin,  // of the goroutine
  kRecRegionEnd,
  kRecLog,
  kRecTaskBegin,
  kRecTaskEnd,
  kRecKinds,
};

// A record is short, one word, where it fits; else its first word and those that its kind has: fixed ones, then text
// of `sub` bytes.
//   kGoCreate      goid; the goroutine was made where the last kRecPlace of the chunk says
//   kGoEnd         goid; a flight recorder's: as kGoCreate
//   kGoReady       goid; sub: WokenBy
//   kGoPark        goid; sub: WaitReason
//   kGoStart       goid; sub: length of the P's queue, kMaxDepth at most
//   other TraceEv  goid, or 0, and for kPStart, kProcs and kSteal the argument << kGoidBits
//   kRecState      goid, where Go was called; sub: the state
//   kRecName       goid, text
//   kRecLost       how many
//   kRecPlace      where Go was called, for what follows in the chunk
//   kRecRegion..., kRecLog   goid (or kThreadBit | thread's id), text
//   kRecTaskBegin  the task's id, its parent's, goid, text
//   kRecTaskEnd    the task's id
inline constexpr int kGoidBits = 44;
inline constexpr uint64_t kThreadBit = uint64_t{1} << (kGoidBits - 1);
inline constexpr uint64_t kMaxExtra = (uint64_t{1} << (64 - kGoidBits)) - 1;
inline constexpr uint64_t kMaxDepth = 255;
inline constexpr uint32_t kMaxText = 248;  // fits sub
inline constexpr uint32_t kMaxRecordWords = 4 + kMaxText / 8 + 1;

constexpr bool HasText(uint8_t kind) {
  return kind == kRecName || kind == kRecRegionBegin || kind == kRecLog || kind == kRecTaskBegin;
}
constexpr uint32_t FixedWords(uint8_t kind) {
  if (kind == kRecTaskBegin) return 3;
  return kind == kRecState ? 2 : 1;
}
// Of a long record.
constexpr uint32_t RecordWords(uint8_t kind, uint8_t sub) {
  return 1 + FixedWords(kind) + (HasText(kind) ? (sub + 7u) / 8 : 0);
}

// The first word, from the lowest bit: kind, sub, whether it is short; then of a long one the ticks since the record
// before (of the first: since the chunk's base), of a short one 22 bits of those and the goid less the chunk's.
inline constexpr int kKindBits = 5;
inline constexpr int kHeadBits = kKindBits + 8 + 1;
inline constexpr int kShortDeltaBits = 22;
inline constexpr int kShortGoidBits = 64 - kHeadBits - kShortDeltaBits;
static_assert(kRecKinds <= 1 << kKindBits);

constexpr uint64_t LongHead(uint64_t delta, uint8_t kind, uint8_t sub) {
  return delta << kHeadBits | uint64_t{sub} << kKindBits | kind;
}
constexpr uint64_t ShortRecord(uint64_t delta, uint64_t goid, uint8_t kind, uint8_t sub) {
  return goid << (kHeadBits + kShortDeltaBits) | delta << kHeadBits |
         uint64_t{1} << (kHeadBits - 1) | uint64_t{sub} << kKindBits | kind;
}
constexpr bool FitsShort(uint64_t delta, uint64_t goid) {
  return (delta >> kShortDeltaBits | goid >> kShortGoidBits) == 0;
}
constexpr bool FitsLong(uint64_t delta) { return delta >> (64 - kHeadBits) == 0; }
constexpr bool IsShort(uint64_t head) { return (head >> (kHeadBits - 1) & 1) != 0; }
constexpr uint8_t HeadKind(uint64_t head) { return head & ((1 << kKindBits) - 1); }
constexpr uint8_t HeadSub(uint64_t head) { return static_cast<uint8_t>(head >> kKindBits); }
constexpr uint64_t HeadDelta(uint64_t head) {
  const uint64_t rest = head >> kHeadBits;
  return IsShort(head) ? rest & ((uint64_t{1} << kShortDeltaBits) - 1) : rest;
}
constexpr uint64_t ShortGoid(uint64_t head) { return head >> (kHeadBits + kShortDeltaBits); }
constexpr uint32_t WordsOf(uint64_t head) {
  return IsShort(head) ? 1 : RecordWords(HeadKind(head), HeadSub(head));
}

inline constexpr size_t kChunkBytes = size_t{64} << 10;

struct Chunk {
  std::atomic<Chunk*> next{nullptr};  // the producer's next one; null: there is none yet
  std::atomic<uint32_t> used{0};      // words that are complete
  uint64_t base = 0;                  // ticks; const after the chunk is published, as what follows
  uint64_t goid_base = 0;             // what the goids of short records are counted from
  static constexpr uint32_t kWords = (kChunkBytes - 32) / 8;
  uint64_t words[kWords];
};
static_assert(sizeof(Chunk) == kChunkBytes);

}  // namespace gort::rt

#endif  // GORT_TRACE_INTERNAL_RECORD_H_
