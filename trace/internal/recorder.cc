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
#include "gort/platforms/clock.h"
#include "gort/platforms/cpu.h"
#include "gort/platforms/mem.h"
#include "gort/platforms/pins.h"
#include "gort/platforms/thread.h"

namespace gort::rt {
namespace {

// What a P's owner writes; the reader looks at `first`. Between recordings only with the world stopped.
struct alignas(64) Stream {
  Chunk* at = nullptr;            // the one that is written
  uint32_t used = Chunk::kWords;  // its words; no chunk: as if full
  uint64_t last = 0;              // ticks of the last event
  uint64_t goid_base = 0;         // the chunk's
  uint64_t place = 0;             // of the last kRecPlace in the chunk
  uint64_t lost = 0;              // events since the last one that found room
  std::atomic<Chunk*> first{
      nullptr};  // the oldest; changed by who adds the first, takes or forgets it
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

// Has the stream go on in a new chunk, from the moment `now` on. False: there is no room, or no recording.
GORT_COLD bool NextChunk(Stream& s, uint64_t now, uint64_t goid) {
  if (pool.empty.load(std::memory_order_relaxed)) return false;
  LockGuard l(&pool.mu);
  if (!pool.open) return false;
  Chunk* c = TakeChunk();
  if (c == nullptr) {
    pool.empty.store(true, std::memory_order_relaxed);
    return false;
  }
  // Goids around this one fit into short records.
  const uint64_t half = uint64_t{1} << (kShortGoidBits - 1);
  if (goid != 0) s.goid_base = goid > half ? goid - half : 0;
  s.last = now;
  s.place = 0;
  s.used = 0;
  c->next.store(nullptr, std::memory_order_relaxed);
  c->used.store(0, std::memory_order_relaxed);
  c->base = now;
  c->goid_base = s.goid_base;
  // Publishes the chunk; pairs with: StreamFirst, and the reader's load of next
  (s.at != nullptr ? s.at->next : s.first).store(c, std::memory_order_release);
  s.at = c;
  return true;
}

// Whether the chunk can take n words at `now`: they are there, and the time since the last record fits.
GORT_ALWAYS_INLINE bool Takes(const Stream& s, uint32_t n, uint64_t now) {
  return s.used + n <= Chunk::kWords && FitsLong(now - s.last);
}

// Room for n words, of a record of goid (0: none) at `now`; null: none.
uint64_t* Room(Stream& s, uint32_t n, uint64_t now, uint64_t goid) {
  if (!Takes(s, n, now) && !NextChunk(s, now, goid)) return nullptr;
  return s.at->words + s.used;
}

void Publish(Stream& s, uint32_t n) {
  s.used += n;
  s.at->used.store(s.used, std::memory_order_release);  // pairs with: the reader
}

void Lose(Stream& s) {
  s.used = Chunk::kWords;  // so that what comes next tells of it first
  ++s.lost;
  pool.lost.fetch_add(1, std::memory_order_relaxed);
}

// On a stream time does not go back: the CPU's counter may differ a little from CPU to CPU.
uint64_t NotBefore(const Stream& s, uint64_t now) { return std::max(now, s.last); }

// The first words of a long record at `now`, written into room that there is.
void BeginLong(Stream& s, uint64_t* w, uint64_t now, uint8_t kind, uint8_t sub) {
  w[0] = LongHead(now - s.last, kind, sub);
  s.last = now;
}

// Tells of lost events first. False: there is no room for that either.
GORT_COLD bool TellLost(Stream& s, uint64_t now) {
  constexpr uint32_t kWords = RecordWords(kRecLost, 0);
  uint64_t* w = Room(s, kWords, now, 0);
  if (w == nullptr) return false;
  BeginLong(s, w, now, kRecLost, 0);
  w[1] = s.lost;
  Publish(s, kWords);
  s.lost = 0;
  return true;
}

// A long record of as many of the words, and as much of the text, as its kind has. goid: 0, or whom it is about.
GORT_COLD void PutLong(Stream& s, uint64_t now, uint8_t kind, uint8_t sub, uint64_t goid,
                       const uint64_t* fixed, const char* text = nullptr) {
  now = NotBefore(s, now);
  const uint32_t n = RecordWords(kind, sub);
  uint64_t* w = s.lost == 0 || TellLost(s, now) ? Room(s, n, now, goid) : nullptr;
  if (w == nullptr) return Lose(s);
  BeginLong(s, w, now, kind, sub);
  const uint32_t k = FixedWords(kind);
  memcpy(w + 1, fixed, k * sizeof *w);
  if (HasText(kind) && sub != 0) {
    w[n - 1] = 0;
    memcpy(w + 1 + k, text, sub);
  }
  Publish(s, n);
}

GORT_COLD void PutText(Stream& s, uint64_t now, uint8_t kind, const uint64_t* fixed,
                       std::string_view text) {
  const auto bytes = static_cast<uint8_t>(std::min<size_t>(text.size(), kMaxText));
  PutLong(s, now, kind, bytes, 0, fixed, text.data());
}

// What does not fit into a short record, or finds no room.
GORT_COLD void PutSlowly(Stream& s, uint64_t now, uint8_t kind, uint8_t sub, uint64_t goid,
                         uint64_t extra) {
  const uint64_t word = goid | extra << kGoidBits;
  PutLong(s, now, kind, sub, goid, &word);
}

// A record of a goroutine alone.
GORT_ALWAYS_INLINE void Put(Stream& s, uint64_t now, uint8_t kind, uint8_t sub, uint64_t goid) {
  const uint64_t delta = now - s.last;  // of a time that goes back: very many
  const uint64_t near = goid - s.goid_base;
  const uint32_t used = s.used;
  if (GORT_UNLIKELY(used >= Chunk::kWords || !FitsShort(delta, near))) {
    return PutSlowly(s, now, kind, sub, goid, 0);
  }
  Chunk* c = s.at;
  s.last = now;
  s.used = used + 1;
  c->words[used] = ShortRecord(delta, near, kind, sub);
  c->used.store(used + 1, std::memory_order_release);  // pairs with: the reader
}

// Where the goroutine of the record that follows was made; both lie in one chunk.
GORT_COLD void TellPlace(Stream& s, uint64_t now, const G* gp) {
  constexpr uint32_t kBoth = RecordWords(kRecPlace, 0) + 2;
  now = NotBefore(s, now);
  uint64_t* w = s.lost == 0 || TellLost(s, now) ? Room(s, kBoth, now, gp->goid) : nullptr;
  if (w == nullptr) {
    s.used = Chunk::kWords;  // the record could find room where its place did not
    return;
  }
  BeginLong(s, w, now, kRecPlace, 0);
  w[1] = s.place = gp->gopc;
  Publish(s, RecordWords(kRecPlace, 0));
}

GORT_ALWAYS_INLINE void PutWithPlace(Stream& s, uint64_t now, uint8_t kind, const G* gp) {
  if (GORT_UNLIKELY(s.place != gp->gopc || !Takes(s, 2, NotBefore(s, now)))) TellPlace(s, now, gp);
  Put(s, now, kind, 0, gp->goid);
}

GORT_COLD void TellName(Stream& s, const G* gp) {
  PutText(s, s.last, kRecName, &gp->goid, gp->name);
}

void PutCreate(Stream& s, const G* gp) {
  PutWithPlace(s, TraceTicks(), static_cast<uint8_t>(TraceEv::kGoCreate), gp);
  if (GORT_UNLIKELY(gp->rare) && gp->name != nullptr) TellName(s, gp);
}

GORT_COLD void PutEndThatTells(Stream& s, const G* gp) {
  if (gp->rare && gp->name != nullptr) TellName(s, gp);
  PutWithPlace(s, TraceTicks(), static_cast<uint8_t>(TraceEv::kGoEnd), gp);
}

// The kinds that are not one word of a goroutine, always or mostly.
GORT_COLD void PutOther(Stream& s, TraceEv ev, const G* gp, uint64_t arg) {
  const uint64_t goid = gp != nullptr ? gp->goid : 0;
  if (ev == TraceEv::kGoEnd) return PutEndThatTells(s, gp);
  if (ev == TraceEv::kSysBlock && arg != 0) {
    return PutSlowly(s, arg, static_cast<uint8_t>(ev), 0, 0, 0);
  }
  PutSlowly(s, TraceTicks(), static_cast<uint8_t>(ev), 0, goid, arg);
}

constexpr uint32_t Bit(TraceEv ev) { return 1u << static_cast<uint32_t>(ev); }
constexpr uint32_t kOthers = Bit(TraceEv::kSysBlock) | Bit(TraceEv::kPStart) |
                             Bit(TraceEv::kPStop) | Bit(TraceEv::kProcs) | Bit(TraceEv::kStwBegin) |
                             Bit(TraceEv::kStwEnd) | Bit(TraceEv::kSteal);
// They and, where ends tell, kGoEnd. Const while one is recorded.
constinit uint32_t others = kOthers;

// What the queue of the caller's own P, or of one in its hands, holds: kMaxDepth at most.
GORT_ALWAYS_INLINE uint8_t Depth(const P* pp) {
  const uint32_t n = pp->runq.tail.load(std::memory_order_relaxed) -
                     pp->runq.head.load(std::memory_order_relaxed) +
                     (pp->runq.runnext.load(std::memory_order_relaxed) != nullptr ? 1 : 0);
  return static_cast<uint8_t>(std::min<uint32_t>(n, kMaxDepth));
}

GORT_ALWAYS_INLINE void PutEvent(Stream& s, const P* pp, TraceEv ev, const G* gp, uint64_t arg) {
  if (ev == TraceEv::kGoStart) {
    const uint64_t now = arg == kAtOnce ? s.last : TraceTicks();
    return Put(s, now, static_cast<uint8_t>(ev), pp != nullptr ? Depth(pp) : 0, gp->goid);
  }
  if (ev == TraceEv::kGoCreate) return PutCreate(s, gp);
  if (GORT_UNLIKELY((others & Bit(ev)) != 0)) return PutOther(s, ev, gp, arg);
  Put(s, TraceTicks(), static_cast<uint8_t>(ev), static_cast<uint8_t>(arg), gp->goid);
}

// f(stream) for the stream of the caller, who is pinned.
template <class F>
void WithStream(const P* pp, F&& f) {
  if (GORT_LIKELY(pp != nullptr)) return f(streams[pp->id]);
  LockGuard l(&no_p_mu);
  f(streams[kNoP]);
}

GORT_COLD void OnEventWithoutP(TraceEv ev, G* gp, uint64_t arg) {
  WithStream(nullptr, [&](Stream& s) { PutEvent(s, nullptr, ev, gp, arg); });
}

// trace_hook
void OnEvent(P* pp, TraceEv ev, G* gp, uint64_t arg) {
  if (GORT_UNLIKELY(pp == nullptr)) return OnEventWithoutP(ev, gp, arg);
  PutEvent(streams[pp->id], pp, ev, gp, arg);
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
  void* p = MemMap(bytes, std::max(kChunkBytes, HugePageSize()));
  if (p == nullptr) return false;
  // The kernel's faults in small pages would cost as much as the events.
  if (pool.limit >= 2 * HugePageSize()) MemHugePage(p, bytes);
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
    const uint64_t fixed[] = {gp->goid, gp->gopc};
    PutLong(s, TraceTicks(), kRecState, static_cast<uint8_t>(status), gp->goid, fixed);
    if (gp->name != nullptr) TellName(s, gp);
  }
}

}  // namespace

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
    // A goroutine's end tells who it was: the recording forgets, and may have forgotten its creation.
    others = kOthers | (when_full == WhenFull::kForgetOldest ? Bit(TraceEv::kGoEnd) : 0);
    for (Stream& s : streams) {
      s.at = nullptr;
      s.used = Chunk::kWords;
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

Chunk* TakeComplete(int stream) {
  std::atomic<Chunk*>& first = streams[stream].first;
  Chunk* c = first.load(std::memory_order_acquire);  // pairs with: NextChunk
  if (c == nullptr) return nullptr;
  Chunk* next = c->next.load(std::memory_order_acquire);  // pairs with: NextChunk
  if (next == nullptr) return nullptr;
  first.store(next, std::memory_order_relaxed);  // its producer stores the very first alone
  return c;
}

bool RecordingFills() {
  LockGuard l(&pool.mu);
  return pool.fresh > pool.limit / 2;
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
    copy->goid_base = c->goid_base;
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

void RecordingForkPrepare() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  no_p_mu.LockForFork();
  pool.mu.LockForFork();
}

void RecordingForkParent() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  pool.mu.UnlockAfterFork();
  no_p_mu.UnlockAfterFork();
}

void RecordingForkChild() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  sched.tracing.store(false);
  pool.open = false;
  RecordingForkParent();
}

namespace {

// f(stream, goid) on the caller's stream, if events are recorded.
template <class F>
void Say(F&& f) {
  if (GORT_LIKELY(!Tracing())) return;
  PinnedWithP pinned;
  const G* self = Getg();
  const P* pp = self != nullptr ? self->m->p.load(std::memory_order_relaxed) : nullptr;
  const uint64_t who = self != nullptr && self->goid != 0
                           ? self->goid
                           : kThreadBit | static_cast<uint64_t>(ThreadId());
  WithStream(pp, [&](Stream& s) { f(s, who); });
}

}  // namespace

void RecordText(uint8_t kind, std::string_view text) {
  Say([&](Stream& s, uint64_t goid) { PutText(s, TraceTicks(), kind, &goid, text); });
}

void RecordEnd(uint8_t kind) {
  Say([&](Stream& s, uint64_t goid) { PutLong(s, TraceTicks(), kind, 0, 0, &goid); });
}

void RecordTaskBegin(uint64_t id, uint64_t parent, std::string_view name) {
  Say([&](Stream& s, uint64_t goid) {
    const uint64_t fixed[] = {id, parent, goid};
    PutText(s, TraceTicks(), kRecTaskBegin, fixed, name);
  });
}

void RecordTaskEnd(uint64_t id) {
  Say([&](Stream& s, uint64_t) { PutLong(s, TraceTicks(), kRecTaskEnd, 0, 0, &id); });
}

}  // namespace gort::rt
