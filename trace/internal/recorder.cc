#include "gort/trace/internal/recorder.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "absl/base/thread_annotations.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/trace_hook.h"
#include "gort/lock/mutex.h"
#include "gort/platforms/arch.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/cpu.h"
#include "gort/platforms/mem.h"
#include "gort/platforms/pins.h"
#include "gort/proc/runq.h"

namespace gort::rt {
namespace {

// What a P's owner writes; the reader looks at `first`. Between recordings only with the world stopped.
struct alignas(64) Stream {
  Chunk* at = nullptr;                 // the one that is written
  uint64_t last = 0;                   // ticks of the last event
  uint64_t lost = 0;                   // events since the last one that found room
  std::atomic<Chunk*> first{nullptr};  // the oldest; changed by who adds the first or forgets it
};
constinit Stream streams[kStreams];

// Held around each event of those without a P.
constinit Mutex no_p_mu;  // not ranked: taken with any other held, and pool.mu alone after it

// Where chunks come from.
struct Pool {
  Mutex mu;  // not ranked: taken with any other held, and none after it
  bool open ABSL_GUARDED_BY(mu) = false;  // a recording is on
  WhenFull when_full ABSL_GUARDED_BY(mu) = WhenFull::kLose;
  char* base ABSL_GUARDED_BY(mu) = nullptr;
  size_t bytes ABSL_GUARDED_BY(mu) = 0;  // mapped
  size_t limit ABSL_GUARDED_BY(mu) = 0;  // of this recording
  size_t fresh ABSL_GUARDED_BY(mu) = 0;  // from here on nothing was ever handed out
  Chunk* free ABSL_GUARDED_BY(mu) = nullptr;
  std::atomic<bool> empty{false};  // a hint that spares the lock
  std::atomic<uint64_t> lost{0};
};
constinit Pool pool;

// The stream whose oldest chunk is complete and older than that of others; null: there is none.
Stream* Oldest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(pool.mu) {
  Stream* oldest = nullptr;
  uint64_t base = 0;
  for (Stream& s : streams) {
    Chunk* c = s.first.load(std::memory_order_relaxed);
    if (c == nullptr || c->next.load(std::memory_order_relaxed) == nullptr) continue;
    if (oldest == nullptr || c->base < base) {
      oldest = &s;
      base = c->base;
    }
  }
  return oldest;
}

Chunk* ForgetOldest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(pool.mu) {
  Stream* s = Oldest();
  if (s == nullptr) return nullptr;
  Chunk* c = s->first.load(std::memory_order_relaxed);
  s->first.store(c->next.load(std::memory_order_relaxed), std::memory_order_relaxed);
  return c;
}

// One that was never handed out, of the first `limit` bytes; null: there is none.
Chunk* FreshChunk(size_t limit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(pool.mu) {
  if (pool.fresh + kChunkBytes > limit) return nullptr;
  auto* c = reinterpret_cast<Chunk*>(pool.base + pool.fresh);
  pool.fresh += kChunkBytes;
  return c;
}

Chunk* TakeChunk() ABSL_EXCLUSIVE_LOCKS_REQUIRED(pool.mu) {
  if (Chunk* c = pool.free; c != nullptr) {
    pool.free = c->next.load(std::memory_order_relaxed);
    return c;
  }
  if (Chunk* c = FreshChunk(pool.limit); c != nullptr) return c;
  if (pool.when_full == WhenFull::kLose) return nullptr;
  if (Chunk* c = ForgetOldest(); c != nullptr) return c;
  // Each stream has one chunk at most, and there are more streams than chunks.
  return FreshChunk(pool.bytes);
}

// Has the stream go on in a new chunk. False: there is no room, or no recording.
GORT_COLD bool NextChunk(Stream& s, uint64_t now) {
  if (pool.empty.load(std::memory_order_relaxed)) return false;
  LockGuard l(&pool.mu);
  if (!pool.open) return false;
  Chunk* c = TakeChunk();
  if (c == nullptr) {
    pool.empty.store(true, std::memory_order_relaxed);
    return false;
  }
  c->next.store(nullptr, std::memory_order_relaxed);
  c->used.store(0, std::memory_order_relaxed);
  c->base = now;
  // Publishes the chunk; pairs with: StreamFirst, and the reader's load of next
  (s.at != nullptr ? s.at->next : s.first).store(c, std::memory_order_release);
  s.at = c;
  return true;
}

// Room for a record of n words at `now`; null: none. *used: where it begins.
GORT_ALWAYS_INLINE uint64_t* Room(Stream& s, uint32_t n, uint64_t now, uint32_t* used) {
  Chunk* c = s.at;
  if (GORT_LIKELY(c != nullptr)) {
    *used = c->used.load(std::memory_order_relaxed);
    if (GORT_LIKELY(*used + n <= Chunk::kWords && now - c->base <= kMaxDelta)) {
      return c->words + *used;
    }
  }
  if (!NextChunk(s, now)) return nullptr;
  *used = 0;
  return s.at->words;
}

void Publish(Stream& s, uint32_t used) {
  s.at->used.store(used, std::memory_order_release);  // pairs with: the reader
}

GORT_COLD void TellLost(Stream& s, uint64_t now) {
  uint32_t used;
  uint64_t* w = Room(s, RecordWords(kRecLost, 0), now, &used);
  if (w == nullptr) return;
  s.at->words[used] = HeadWord(now - s.at->base, kRecLost, 0);
  w[1] = s.lost;
  Publish(s, used + RecordWords(kRecLost, 0));
  s.lost = 0;
}

// A record with the words a and b, of which it takes as many as its kind has.
GORT_ALWAYS_INLINE void Put(Stream& s, uint64_t now, uint8_t kind, uint8_t sub, uint64_t a,
                            uint64_t b) {
  if (GORT_UNLIKELY(s.lost != 0)) TellLost(s, now);
  const uint32_t n = 1 + FixedWords(kind);
  uint32_t used;
  uint64_t* w = s.lost == 0 ? Room(s, n, now, &used) : nullptr;
  if (GORT_UNLIKELY(w == nullptr)) {
    ++s.lost;
    pool.lost.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  w[0] = HeadWord(now - s.at->base, kind, sub);
  w[1] = a;
  if (n > 2) w[2] = b;
  Publish(s, used + n);
}

// The same with three words and text.
GORT_COLD void PutText(Stream& s, uint64_t now, uint8_t kind, const uint64_t* fixed,
                       std::string_view text) {
  if (s.lost != 0) TellLost(s, now);
  const auto bytes = static_cast<uint8_t>(std::min<size_t>(text.size(), kMaxText));
  const uint32_t n = RecordWords(kind, bytes);
  uint32_t used;
  uint64_t* w = s.lost == 0 ? Room(s, n, now, &used) : nullptr;
  if (w == nullptr) {
    ++s.lost;
    pool.lost.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  w[0] = HeadWord(now - s.at->base, kind, bytes);
  const uint32_t k = FixedWords(kind);
  memcpy(w + 1, fixed, k * sizeof *w);
  w[n - 1] = 0;
  memcpy(w + 1 + k, text.data(), bytes);
  Publish(s, used + n);
}

// The CPU's counter may differ a little from CPU to CPU; on a stream time does not go back.
GORT_ALWAYS_INLINE uint64_t Now(Stream& s) {
  const uint64_t now = TraceTicks();
  if (GORT_LIKELY(now > s.last)) s.last = now;
  return s.last;
}

GORT_ALWAYS_INLINE void PutEvent(Stream& s, const P* pp, TraceEv ev, const G* gp, uint64_t arg) {
  const uint64_t goid = gp != nullptr ? gp->goid : 0;
  const auto kind = static_cast<uint8_t>(ev);
  switch (ev) {
    case TraceEv::kGoStart: {
      const uint64_t now = arg == kAtOnce ? s.last : Now(s);
      const uint64_t depth = std::min<uint64_t>(pp != nullptr ? RunqLen(pp) : 0, kMaxExtra);
      return Put(s, now, kind, 0, goid | depth << kGoidBits, 0);
    }
    case TraceEv::kGoPark:
    case TraceEv::kGoReady:
      return Put(s, Now(s), kind, static_cast<uint8_t>(arg), goid, 0);
    case TraceEv::kGoCreate:
      Put(s, Now(s), kind, 0, goid, gp->gopc);
      if (GORT_UNLIKELY(gp->rare) && gp->name != nullptr) {
        PutText(s, s.last, kRecName, &goid, gp->name);
      }
      return;
    default:
      return Put(s, Now(s), kind, 0, goid | arg << kGoidBits, 0);
  }
}

// f(stream) for the stream of the caller, who is pinned.
template <class F>
void WithStream(const P* pp, F&& f) {
  if (GORT_LIKELY(pp != nullptr)) return f(streams[pp->id]);
  LockGuard l(&no_p_mu);
  f(streams[kNoP]);
}

// trace_hook
void OnEvent(P* pp, TraceEv ev, G* gp, uint64_t arg) {
  if (GORT_LIKELY(pp != nullptr)) return PutEvent(streams[pp->id], pp, ev, gp, arg);
  WithStream(nullptr, [&](Stream& s) { PutEvent(s, nullptr, ev, gp, arg); });
}

// Maps the pool, or what it lacks. The world is stopped, and all chunks are free. Who forgets must have
// something to forget: a chunk for each stream, and one more.
bool MapPool(size_t bytes, WhenFull when_full) ABSL_EXCLUSIVE_LOCKS_REQUIRED(pool.mu) {
  bytes = std::max(bytes / kChunkBytes, size_t{4}) * kChunkBytes;
  pool.limit = bytes;
  if (when_full == WhenFull::kForgetOldest) {
    bytes = std::max(bytes, (kStreams + size_t{1}) * kChunkBytes);
  }
  if (pool.bytes >= bytes) return true;
  void* p = MemMap(bytes, kChunkBytes);
  if (p == nullptr) return false;
  if (pool.base != nullptr) MemUnmap(pool.base, pool.bytes);
  pool.base = static_cast<char*>(p);
  pool.bytes = bytes;
  return true;
}

void TellStates() {
  LockGuard l(&no_p_mu);
  Stream& s = streams[kNoP];
  for (const G* gp = allgs.load(std::memory_order_acquire); gp != nullptr; gp = gp->alllink) {
    const uint32_t status = ReadGStatus(gp) & ~uint32_t{kGScan};
    if (status == kGDead || status == kGIdle || gp->goid == 0) continue;
    Put(s, Now(s), kRecState, static_cast<uint8_t>(status), gp->goid, gp->gopc);
    if (gp->name != nullptr) PutText(s, s.last, kRecName, &gp->goid, gp->name);
  }
}

}  // namespace

uint64_t TraceTicks() { return static_cast<uint64_t>(arch::Ticks()); }

bool RecordingBegin(size_t max_bytes, WhenFull when_full) {
  {
    // The stopped world does not hold up who has no P: one of those may be in the middle of an event.
    LockGuard without(&no_p_mu);
    LockGuard l(&pool.mu);
    if (!MapPool(max_bytes, when_full)) return false;
    pool.free = nullptr;
    pool.fresh = 0;
    pool.when_full = when_full;
    pool.open = true;
    pool.empty.store(false, std::memory_order_relaxed);
    pool.lost.store(0, std::memory_order_relaxed);
    for (Stream& s : streams) {
      s.at = nullptr;
      s.lost = 0;
      s.first.store(nullptr, std::memory_order_relaxed);
    }
  }
  trace_hook.Set(&OnEvent);
  TellStates();
  G* gp = Getg()->m->curg.load(std::memory_order_relaxed);
  P* pp = Getg()->m->p.load(std::memory_order_relaxed);
  OnEvent(pp, TraceEv::kGoStart, gp, 0);
  OnEvent(pp, TraceEv::kProcs, nullptr,
          static_cast<uint64_t>(gomaxprocs.load(std::memory_order_relaxed)));
  sched.tracing.store(true);
  return true;
}

void RecordingEnd() {
  sched.tracing.store(false);
  LockGuard l(&pool.mu);
  pool.open = false;
}

Chunk* StreamFirst(int stream) {
  return streams[stream].first.load(std::memory_order_acquire);  // pairs with: NextChunk
}

void RecycleChunk(Chunk* chunk) {
  LockGuard l(&pool.mu);
  chunk->next.store(pool.free, std::memory_order_relaxed);
  pool.free = chunk;
  pool.empty.store(false, std::memory_order_relaxed);
}

namespace {

// Copies one stream, beginning at *to, which moves on.
Chunk* CopyStream(const Stream& s, char** to) ABSL_EXCLUSIVE_LOCKS_REQUIRED(pool.mu) {
  Chunk* first = nullptr;
  Chunk* last = nullptr;
  for (const Chunk* c = s.first.load(std::memory_order_relaxed); c != nullptr;
       c = c->next.load(std::memory_order_relaxed)) {
    auto* copy = new (*to) Chunk;
    *to += kChunkBytes;
    const uint32_t used = c->used.load(std::memory_order_acquire);  // pairs with: Publish
    copy->used.store(used, std::memory_order_relaxed);
    copy->base = c->base;
    memcpy(copy->words, c->words, used * sizeof *c->words);
    (last != nullptr ? last->next.store(copy, std::memory_order_relaxed) : void(first = copy));
    last = copy;
  }
  return first;
}

}  // namespace

bool SnapshotRecording(Snapshot* out) {
  LockGuard l(&pool.mu);
  out->bytes = pool.fresh;
  if (pool.fresh == 0) return true;
  out->memory = MemMap(pool.fresh, kChunkBytes);
  if (out->memory == nullptr) return false;
  char* to = static_cast<char*>(out->memory);
  for (int i = 0; i < kStreams; ++i) out->firsts[i] = CopyStream(streams[i], &to);
  return true;
}

void DropSnapshot(Snapshot* s) {
  if (s->memory != nullptr) MemUnmap(s->memory, s->bytes);
  *s = Snapshot{};
}

uint64_t EventsLost() { return pool.lost.load(std::memory_order_relaxed); }

void RecordingRelease() {
  LockGuard l(&pool.mu);
  // Who is late may still write, and finds zeros.
  if (!pool.open && pool.base != nullptr) MemRelease(pool.base, pool.fresh);
}

namespace {

// f(stream, goid) on the caller's stream, if events are recorded.
template <class F>
void Say(F&& f) {
  if (GORT_LIKELY(!Tracing())) return;
  PinnedWithP pinned;
  const G* self = Getg();
  const P* pp = self != nullptr ? self->m->p.load(std::memory_order_relaxed) : nullptr;
  WithStream(pp, [&](Stream& s) { f(s, self != nullptr ? self->goid : 0); });
}

}  // namespace

void RecordText(uint8_t kind, std::string_view text) {
  Say([&](Stream& s, uint64_t goid) { PutText(s, Now(s), kind, &goid, text); });
}

void RecordEnd(uint8_t kind) {
  Say([&](Stream& s, uint64_t goid) { Put(s, Now(s), kind, 0, goid, 0); });
}

void RecordTaskBegin(uint64_t id, uint64_t parent, std::string_view name) {
  Say([&](Stream& s, uint64_t goid) {
    const uint64_t fixed[] = {id, parent, goid};
    PutText(s, Now(s), kRecTaskBegin, fixed, name);
  });
}

void RecordTaskEnd(uint64_t id) {
  Say([&](Stream& s, uint64_t) { Put(s, Now(s), kRecTaskEnd, 0, id, 0); });
}

}  // namespace gort::rt
