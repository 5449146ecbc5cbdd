// trace/internal/record.h: how events lie in memory.
// What      a record is one word that says when and what, and as many words behind it as the kind of
//           event needs. Records lie in chunks; a chunk has one producer, who publishes by `used`,
//           and one reader.
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
  kRecRegionBegin,  // of the goroutine
  kRecRegionEnd,
  kRecLog,
  kRecTaskBegin,
  kRecTaskEnd,
  kRecKinds,
};

// The words of a record behind the first: fixed ones, then text of Record::sub bytes.
//   kGoCreate      goid, where Go was called
//   kGoReady       goid; sub: WokenBy
//   kGoPark        goid; sub: WaitReason
//   kGoStart       goid | length of the P's queue << kGoidBits
//   other TraceEv  goid, or 0, and for kPStart, kProcs and kSteal the argument above it
//   kRecState      goid, where Go was called; sub: the state
//   kRecName       goid, text
//   kRecLost       how many
//   kRecRegion..., kRecLog   goid, text
//   kRecTaskBegin  the task's id, its parent's, goid, text
//   kRecTaskEnd    the task's id
inline constexpr int kGoidBits = 44;
inline constexpr uint64_t kMaxExtra = (uint64_t{1} << (64 - kGoidBits)) - 1;
inline constexpr uint32_t kMaxText = 248;  // fits sub
inline constexpr uint32_t kMaxRecordWords = 4 + kMaxText / 8 + 1;

constexpr bool HasText(uint8_t kind) {
  return kind == kRecName || kind == kRecRegionBegin || kind == kRecLog || kind == kRecTaskBegin;
}
constexpr uint32_t FixedWords(uint8_t kind) {
  if (kind == kRecTaskBegin) return 3;
  return kind == static_cast<uint8_t>(TraceEv::kGoCreate) || kind == kRecState ? 2 : 1;
}
constexpr uint32_t RecordWords(uint8_t kind, uint8_t sub) {
  return 1 + FixedWords(kind) + (HasText(kind) ? (sub + 7u) / 8 : 0);
}

// The first word: ticks since the chunk's base, the kind, its sub.
inline constexpr uint64_t kMaxDelta = (uint64_t{1} << 48) - 1;
constexpr uint64_t HeadWord(uint64_t delta, uint8_t kind, uint8_t sub) {
  return delta << 16 | uint64_t{kind} << 8 | sub;
}
constexpr uint64_t HeadDelta(uint64_t head) { return head >> 16; }
constexpr uint8_t HeadKind(uint64_t head) { return static_cast<uint8_t>(head >> 8); }
constexpr uint8_t HeadSub(uint64_t head) { return static_cast<uint8_t>(head); }

inline constexpr size_t kChunkBytes = size_t{64} << 10;

struct Chunk {
  std::atomic<Chunk*> next{nullptr};  // the producer's next one; null: there is none yet
  std::atomic<uint32_t> used{0};      // words that are complete
  uint64_t base = 0;                  // ticks; const after the chunk is published
  static constexpr uint32_t kWords = (kChunkBytes - 24) / 8;
  uint64_t words[kWords];
};
static_assert(sizeof(Chunk) == kChunkBytes);

}  // namespace gort::rt

#endif  // GORT_TRACE_INTERNAL_RECORD_H_
