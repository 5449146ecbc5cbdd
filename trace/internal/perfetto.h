// trace/internal/perfetto.h: the words of a trace.
// What      field numbers of Perfetto's messages (tests/trace/perfetto.proto), the ids of our tracks, and the
//           texts that every trace begins with, by their ids.
// Layer     7. Constants.
#ifndef GORT_TRACE_INTERNAL_PERFETTO_H_
#define GORT_TRACE_INTERNAL_PERFETTO_H_

#include <cstddef>
#include <cstdint>

#include "gort/gmp/trace_hook.h"
#include "gort/gmp/wait_reason.h"

namespace gort::rt {

// Field numbers, by message.
namespace field {
inline constexpr uint32_t kPacket = 1;  // Trace
// TracePacket
inline constexpr uint32_t kClockSnapshot = 6, kTimestamp = 8, kSequenceId = 10, kTrackEvent = 11,
                          kInternedData = 12, kSequenceFlags = 13, kTimestampClockId = 58,
                          kDefaults = 59, kTrackDescriptor = 60;
// ClockSnapshot, Clock
inline constexpr uint32_t kClocks = 1, kClockId = 1, kClockTimestamp = 2;
// TrackDescriptor, ProcessDescriptor
inline constexpr uint32_t kUuid = 1, kTrackName = 2, kProcess = 3, kParentUuid = 5,
                          kCounterTrack = 8;
inline constexpr uint32_t kPid = 1, kProcessName = 6;
// TrackEvent
inline constexpr uint32_t kAnnotations = 4, kType = 9, kNameIid = 10, kTrackUuid = 11, kText = 23,
                          kCounterValue = 30, kFlows = 47, kLastFlows = 48;
// DebugAnnotation
inline constexpr uint32_t kAnnotationName = 1, kUint = 3, kString = 17;
// InternedData, and what is in it
inline constexpr uint32_t kEventNames = 2, kAnnotationNames = 3, kAnnotationStrings = 29;
inline constexpr uint32_t kIid = 1, kIname = 2;
}  // namespace field

enum : uint32_t { kSliceBegin = 1, kSliceEnd = 2, kInstant = 3, kCounterType = 4 };
enum : uint32_t { kCleared = 1, kNeeds = 2 };  // sequence_flags
enum : uint32_t { kRealtime = 1, kMonotonic = 3, kBoottime = 6 };

// Tracks.
inline constexpr uint64_t kProcessTrack = 1;
inline constexpr uint64_t kCountTrack = 2;
constexpr uint64_t TrackOfP(int stream) { return 0x10000 + static_cast<uint64_t>(stream); }
constexpr uint64_t DepthOfP(int stream) { return 0x20000 + static_cast<uint64_t>(stream); }
constexpr uint64_t TrackOfGoroutine(uint64_t goid) { return uint64_t{1} << 60 | goid; }
constexpr uint64_t TrackOfTask(uint64_t id) { return uint64_t{1} << 61 | id; }

// Names that every trace begins with.
enum : uint32_t {
  kUnknown = 1,
  kNameSyscall,
  kNameGo,
  kNameWake,
  kNameSteal,
  kNameStop,
  kNameLost,
  kNameThread,
  kNameProcs,
  kNamesEnd,
};
inline constexpr const char* kNames[] = {
    "goroutine",      "system call", "go",           "wake",       "steal",
    "stop the world", "lost events", "thread comes", "GOMAXPROCS",
};
static_assert(sizeof kNames / sizeof *kNames == kNamesEnd - 1);

enum : uint32_t { kOfGoroutine = 1, kOfWhy, kOfBy, kOfNumber, kOfFrom, kAnnotationsEnd };
inline constexpr const char* kAnnotationNames[] = {"goroutine", "why", "by", "number", "from"};
static_assert(sizeof kAnnotationNames / sizeof *kAnnotationNames == kAnnotationsEnd - 1);

// Values of "why" and "by": the wait reasons from kFirstWait on, then these.
inline constexpr uint32_t kFirstWait = 1;
inline constexpr uint32_t kFirstWhy = kFirstWait + static_cast<uint32_t>(WaitReason::kCount);
enum : uint32_t { kWhyYield = kFirstWhy, kWhyLost, kWhyEnd, kWhySyscall, kWhyUnknown, kWhyLast };
inline constexpr const char* kWhys[] = {"gives way",   "keeps its thread", "ends",
                                        "system call", "unknown",          "the trace ends"};
inline constexpr uint32_t kFirstBy = kWhyLast + 1;
inline constexpr const char* kBys[] = {"goroutine", "timer",  "poller",
                                       "thread",    "return", "itself"};
static_assert(sizeof kBys / sizeof *kBys == static_cast<size_t>(WokenBy::kCount));

}  // namespace gort::rt

#endif  // GORT_TRACE_INTERNAL_PERFETTO_H_
