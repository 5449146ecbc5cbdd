#include "gort/trace/internal/recorder.h"

#include <atomic>
#include <cstdint>

#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/trace_hook.h"
#include "gort/proc/proc.h"
#include "gort/tests/support/goroutines.h"
#include "gort/trace/internal/record.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

using testing::InGort;

Chunk* LastChunk(int stream) {
  Chunk* c = StreamFirst(stream);
  while (Chunk* next = c->next.load()) c = next;
  return c;
}

// The place that belongs to the last creation in the chunk; goid: whose that is.
uint64_t PlaceOfLastCreation(const Chunk* c, uint64_t* goid) {
  uint64_t place = 0;
  uint64_t last = 0;
  const uint32_t used = c->used.load();
  for (uint32_t at = 0; at < used; at += WordsOf(c->words[at])) {
    const uint64_t head = c->words[at];
    if (HeadKind(head) == kRecPlace) place = c->words[at + 1];
    if (HeadKind(head) != static_cast<uint8_t>(TraceEv::kGoCreate)) continue;
    last = place;
    *goid = IsShort(head) ? ShortGoid(head) + c->goid_base : c->words[at + 1];
  }
  return last;
}

// There is room for the record of a creation, and none for its place.
TEST(Recorder, ACreationWhosePlaceFindsNoRoomIsLost) {
  static G one, other;
  one.goid = 5;
  one.gopc = 0x1111;
  other.goid = 6;
  other.gopc = 0x2222;
  InGort([] {
    StopTheWorld(WaitReason::kStoppingTheWorld);
    ASSERT_TRUE(RecordingBegin(4 * kChunkBytes, WhenFull::kLose));
    P* pp = Getg()->m->p.load();
    int chunks = 1;  // another stream has the first
    for (Chunk* c = nullptr; chunks < 4 || c->used.load() < Chunk::kWords - 1;) {
      trace_hook(pp, TraceEv::kGoCreate, &one, 0);
      if (Chunk* now = LastChunk(pp->id); now != c) {
        c = now;
        ++chunks;
      }
    }
    EXPECT_EQ(EventsLost(), 0u);
    trace_hook(pp, TraceEv::kGoCreate, &other, 0);
    EXPECT_EQ(EventsLost(), 1u);
    uint64_t goid = 0;
    EXPECT_EQ(PlaceOfLastCreation(LastChunk(pp->id), &goid), one.gopc);
    EXPECT_EQ(goid, one.goid);
    RecordingEnd();
    RecordingRelease();
    StartTheWorld();
  });
}

// Some four days at 3 GHz. A P of a server that keeps its last events may have nothing to do for so long.
TEST(Recorder, APIdleForDaysGoesOnInANewChunk) {
  constexpr uint64_t kDays = uint64_t{1} << (64 - kHeadBits);
  InGort([] {
    StopTheWorld(WaitReason::kStoppingTheWorld);
    ASSERT_TRUE(RecordingBegin(8 * kChunkBytes, WhenFull::kForgetOldest));
    P* pp = Getg()->m->p.load();
    uint64_t now = TraceTicks();
    for (const uint64_t idle : {kDays - 1, kDays, kDays + 1, 5 * kDays}) {
      trace_hook(pp, TraceEv::kSysBlock, nullptr, now);
      const Chunk* before = LastChunk(pp->id);
      now += idle;
      trace_hook(pp, TraceEv::kSysBlock, nullptr, now);
      const Chunk* c = LastChunk(pp->id);
      EXPECT_EQ(c != before, idle >= kDays);
      if (c != before) {
        EXPECT_EQ(c->base, now);
        EXPECT_EQ(HeadDelta(c->words[0]), 0u);
      }
    }
    RecordingEnd();
    RecordingRelease();
    StartTheWorld();
  });
}

}  // namespace
}  // namespace gort::rt
