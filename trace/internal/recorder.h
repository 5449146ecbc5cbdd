// trace/internal/recorder.h: recording events without locks.
// What      a stream of chunks for each P, written by whoever has the P, and one, under a lock, for
//           those who have none.
// Layer     7. Recording: any stack, pinned; see gmp/trace_hook.h. The rest: one thread at a time.
// Invariant a producer writes into the last chunk of its stream, which nobody takes; a recording
//           begins with the world stopped. So who is late with an event of an earlier recording
//           writes where nobody reads.
#ifndef GORT_TRACE_INTERNAL_RECORDER_H_
#define GORT_TRACE_INTERNAL_RECORDER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gort/gmp/sched.h"
#include "gort/trace/internal/record.h"

namespace gort::rt {

// The streams: of the Ps by their ids, then that of those without.
inline constexpr int kStreams = kMaxProcs + 1;
inline constexpr int kNoP = kMaxProcs;

// What becomes of events when there is no room.
enum class WhenFull : uint8_t { kLose, kForgetOldest };

// Begins a recording in at most max_bytes, with the goroutines that there are. False: no memory. Who
// forgets the oldest takes more where there are more streams than chunks. The caller is a goroutine that
// has stopped the world.
bool RecordingBegin(size_t max_bytes, WhenFull when_full);
// Ends it: events from here on go nowhere. What was recorded stays until it is released. Any thread.
void RecordingEnd();

// For the one reader. The stream's first chunk; null: none yet.
Chunk* StreamFirst(int stream);
// Takes the first chunk off the stream, if its producer has gone on to the next one; null: it has not.
Chunk* TakeComplete(int stream);
// Gives back a chunk that has been taken.
void RecycleChunk(Chunk* chunk);
// Whether so much memory is used that chunks had better be taken soon.
bool RecordingFills();
// A copy of all that is kept, made while events are recorded.
struct Snapshot {
  Chunk* firsts[kStreams] = {};
  void* memory = nullptr;
  size_t bytes = 0;
};
// False: no memory. Who needs a new chunk meanwhile waits.
bool SnapshotRecording(Snapshot* out);
void DropSnapshot(Snapshot* s);
// Events that were lost since the beginning.
uint64_t EventsLost();
// Gives back the memory of a recording that has ended and been read.
void RecordingRelease();

// For pthread_atfork. The child records nothing, and finds no lock held.
void RecordingForkPrepare();
void RecordingForkParent();
void RecordingForkChild();

// What the program says. Nothing happens unless events are recorded.
void RecordText(uint8_t kind, std::string_view text);
void RecordEnd(uint8_t kind);
void RecordTaskBegin(uint64_t id, uint64_t parent, std::string_view name);
void RecordTaskEnd(uint64_t id);

}  // namespace gort::rt

#endif  // GORT_TRACE_INTERNAL_RECORDER_H_
