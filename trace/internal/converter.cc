#include "gort/trace/internal/converter.h"

#include <cstring>

#include "gort/base/throw.h"
#include "gort/gmp/status.h"
#include "gort/gmp/wait_reason.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/thread.h"
#include "gort/traceback/demangle.h"
#include "gort/traceback/symbolize.h"

namespace gort::rt {
namespace {

// Field numbers, by message.
namespace field {
constexpr uint32_t kPacket = 1;  // Trace
// TracePacket
constexpr uint32_t kClockSnapshot = 6, kTimestamp = 8, kSequenceId = 10, kTrackEvent = 11,
                   kInternedData = 12, kSequenceFlags = 13, kTimestampClockId = 58, kDefaults = 59,
                   kTrackDescriptor = 60;
// ClockSnapshot, Clock
constexpr uint32_t kClocks = 1, kClockId = 1, kClockTimestamp = 2;
// TrackDescriptor, ProcessDescriptor
constexpr uint32_t kUuid = 1, kTrackName = 2, kProcess = 3, kParentUuid = 5, kCounterTrack = 8;
constexpr uint32_t kPid = 1, kProcessName = 6;
// TrackEvent
constexpr uint32_t kAnnotations = 4, kType = 9, kNameIid = 10, kTrackUuid = 11, kText = 23,
                   kCounterValue = 30, kFlows = 47, kLastFlows = 48;
// DebugAnnotation
constexpr uint32_t kAnnotationName = 1, kUint = 3, kString = 17;
// InternedData, and what is in it
constexpr uint32_t kEventNames = 2, kAnnotationNames = 3, kAnnotationStrings = 29;
constexpr uint32_t kIid = 1, kIname = 2;
}  // namespace field

enum : uint32_t { kSliceBegin = 1, kSliceEnd = 2, kInstant = 3, kCounterType = 4 };
enum : uint32_t { kCleared = 1, kNeeds = 2 };  // sequence_flags
enum : uint32_t { kRealtime = 1, kMonotonic = 3, kBoottime = 6 };

// Tracks.
constexpr uint64_t kProcessTrack = 1;
constexpr uint64_t kCountTrack = 2;
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
constexpr const char* kNames[] = {
    "goroutine",      "system call", "go",           "wake",       "steal",
    "stop the world", "lost events", "thread comes", "GOMAXPROCS",
};
static_assert(sizeof kNames / sizeof *kNames == kNamesEnd - 1);

enum : uint32_t { kOfGoroutine = 1, kOfWhy, kOfBy, kOfNumber, kOfFrom, kAnnotationsEnd };
constexpr const char* kAnnotationNames[] = {"goroutine", "why", "by", "number", "from"};
static_assert(sizeof kAnnotationNames / sizeof *kAnnotationNames == kAnnotationsEnd - 1);

// Values of "why" and "by": the wait reasons from kFirstWait on, then these.
constexpr uint32_t kFirstWait = 1;
constexpr uint32_t kFirstWhy = kFirstWait + static_cast<uint32_t>(WaitReason::kCount);
enum : uint32_t { kWhyYield = kFirstWhy, kWhyLost, kWhyEnd, kWhySyscall, kWhyUnknown, kWhyLast };
constexpr const char* kWhys[] = {"gives way",   "keeps its thread", "ends",
                                 "system call", "unknown",          "the trace ends"};
constexpr uint32_t kFirstBy = kWhyLast + 1;
constexpr const char* kBys[] = {"goroutine", "timer", "poller", "thread", "return", "itself"};
static_assert(sizeof kBys / sizeof *kBys == static_cast<size_t>(WokenBy::kCount));

// In the place of a goroutine's number: threads that are none.
constexpr uint64_t kThreads = (uint64_t{1} << kGoidBits) - 1;

constexpr int64_t kDepthEveryNs = 20'000;
constexpr int64_t kCountsEveryNs = 1'000'000;

void Annotate(Proto* p, uint32_t name, uint64_t v) {
  char* a = p->Open(field::kAnnotations);
  p->Varint(field::kAnnotationName, name);
  p->Varint(field::kUint, v);
  p->Close(a);
}

void AnnotateString(Proto* p, uint32_t name, uint32_t string) {
  char* a = p->Open(field::kAnnotations);
  p->Varint(field::kAnnotationName, name);
  p->Varint(field::kString, string);
  p->Close(a);
}

void Interned(Proto* p, uint32_t list, uint32_t iid, std::string_view text) {
  char* e = p->Open(list);
  p->Varint(field::kIid, iid);
  p->Bytes(field::kIname, text);
  p->Close(e);
}

void AddClock(Proto* p, uint32_t id, int64_t ns) {
  char* c = p->Open(field::kClocks);
  p->Varint(field::kClockId, id);
  p->Varint(field::kClockTimestamp, static_cast<uint64_t>(ns));
  p->Close(c);
}

std::string_view TextOf(const uint64_t* words, uint8_t bytes) {
  return {reinterpret_cast<const char*>(words), bytes};
}

}  // namespace

Converter::Converter(Sink* sink) : sink_(sink), next_name_(kNamesEnd) { Describe(); }

void Converter::Describe() {
  Proto p(sink_->Room());
  char* packet = p.Open(field::kPacket);
  p.Varint(field::kSequenceId, 1);
  p.Varint(field::kSequenceFlags, kCleared);
  char* defaults = p.Open(field::kDefaults);
  p.Varint(field::kTimestampClockId, kMonotonic);
  p.Close(defaults);
  char* data = p.Open(field::kInternedData);
  for (uint32_t i = kUnknown; i < kNamesEnd; ++i)
    Interned(&p, field::kEventNames, i, kNames[i - 1]);
  for (uint32_t i = 1; i < kAnnotationsEnd; ++i) {
    Interned(&p, field::kAnnotationNames, i, kAnnotationNames[i - 1]);
  }
  for (uint32_t i = kFirstWait; i < kFirstWhy; ++i) {
    const auto reason = static_cast<WaitReason>(i - kFirstWait);
    Interned(&p, field::kAnnotationStrings, i, WaitReasonText(reason));
  }
  for (uint32_t i = kFirstWhy; i <= kWhyLast; ++i) {
    Interned(&p, field::kAnnotationStrings, i, kWhys[i - kFirstWhy]);
  }
  for (uint32_t i = 0; i < static_cast<uint32_t>(WokenBy::kCount); ++i) {
    Interned(&p, field::kAnnotationStrings, kFirstBy + i, kBys[i]);
  }
  p.Close(data);
  p.Close(packet);
  // How the clock of the packets stands to others. (The boot clock's is what it would be had the machine
  // never been suspended.)
  packet = p.Open(field::kPacket);
  p.Varint(field::kSequenceId, 1);
  char* clocks = p.Open(field::kClockSnapshot);
  AddClock(&p, kMonotonic, Nanotime());
  AddClock(&p, kBoottime, Nanotime());
  AddClock(&p, kRealtime, Walltime());
  p.Close(clocks);
  p.Close(packet);
  packet = p.Open(field::kPacket);
  p.Varint(field::kSequenceId, 1);
  char* track = p.Open(field::kTrackDescriptor);
  p.Varint(field::kUuid, kProcessTrack);
  char* process = p.Open(field::kProcess);
  p.Varint(field::kPid, static_cast<uint64_t>(ProcessId()));
  p.Bytes(field::kProcessName, std::string_view(sched.program).substr(0, kMaxText));
  p.Close(process);
  p.Close(track);
  p.Close(packet);
  sink_->Wrote(p.at());
  AddTrack(kCountTrack, kProcessTrack, "goroutines", true);
}

void Converter::AddTrack(uint64_t uuid, uint64_t parent, std::string_view name, bool counter) {
  Proto p(sink_->Room());
  char* packet = p.Open(field::kPacket);
  p.Varint(field::kSequenceId, 1);
  char* track = p.Open(field::kTrackDescriptor);
  p.Varint(field::kUuid, uuid);
  p.Varint(field::kParentUuid, parent);
  p.Bytes(field::kTrackName, name);
  if (counter) p.Close(p.Open(field::kCounterTrack));
  p.Close(track);
  p.Close(packet);
  sink_->Wrote(p.at());
}

void Converter::DescribeP(int stream) {
  processors_[stream].described = true;
  char text[32];
  Printer name(text, sizeof text);
  if (stream == kNoP) {
    name << "without P";
  } else {
    name << 'P' << stream;
  }
  AddTrack(TrackOfP(stream), kProcessTrack, {text, name.size()}, false);
  if (stream == kNoP) return;
  name << " queue";
  AddTrack(DepthOfP(stream), kProcessTrack, {text, name.size()}, true);
}

void Converter::DescribeGoroutine(uint64_t goid, Goroutine* g) {
  g->has_track = true;
  char text[32];
  Printer name(text, sizeof text);
  if (goid == kThreads) {
    name << "other threads";
  } else {
    name << "goroutine " << goid;
  }
  AddTrack(TrackOfGoroutine(goid), kProcessTrack, {text, name.size()}, false);
}

uint32_t Converter::AddName(std::string_view text) {
  const uint32_t iid = next_name_++;
  Proto p(sink_->Room());
  char* packet = p.Open(field::kPacket);
  p.Varint(field::kSequenceId, 1);
  p.Varint(field::kSequenceFlags, kNeeds);
  char* data = p.Open(field::kInternedData);
  Interned(&p, field::kEventNames, iid, text);
  p.Close(data);
  p.Close(packet);
  sink_->Wrote(p.at());
  return iid;
}

// A goroutine without a name is called after the function that made it.
uint32_t Converter::NameOfPlace(uint64_t pc) {
  if (pc == 0) return kUnknown;
  uint32_t& iid = places_.Add(pc);
  if (iid != 0) return iid;
  Symbol symbol;
  char text[512];
  if (!Symbolize(static_cast<uintptr_t>(pc) - 1, &symbol) || symbol.name == nullptr) {
    return iid = kUnknown;
  }
  if (!Demangle(symbol.name, text, sizeof text)) {
    const size_t n = strnlen(symbol.name, sizeof text - 1);
    memcpy(text, symbol.name, n);
    text[n] = '\0';
  }
  return iid = AddName(text);
}

uint32_t Converter::NameOfText(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  uint32_t& iid = texts_.Add(hash != 0 ? hash : 1);
  if (iid == 0) iid = AddName(text);
  return iid;
}

Converter::Packet Converter::Begin(uint64_t track, uint32_t type) {
  Packet p{Proto(sink_->Room()), nullptr, nullptr};
  p.packet = p.proto.Open(field::kPacket);
  // Nanoseconds since the machine began: of most events in a row only the lowest bits differ.
  const auto ns = static_cast<uint64_t>(ns_);
  if (ns >> 21 != stamp_) {
    stamp_ = ns >> 21;
    stamp_bytes_ = Proto::Encode(stamp_, &stamp_code_);
  }
  p.proto.VarintOfParts(field::kTimestamp, ns, stamp_code_, stamp_bytes_);
  static constexpr char kSame[] = {field::kSequenceId << 3, 1, field::kSequenceFlags << 3, kNeeds};
  p.proto.Fixed(kSame, sizeof kSame);
  p.event = p.proto.Open(field::kTrackEvent);
  p.proto.Varint(field::kType, type);
  p.proto.Varint(field::kTrackUuid, track);
  return p;
}

void Converter::End(Packet* p) {
  p->proto.Close(p->event);
  p->proto.Close(p->packet);
  sink_->Wrote(p->proto.at());
}

void Converter::EndSlice(uint64_t track) {
  Packet p = Begin(track, kSliceEnd);
  End(&p);
}

void Converter::Counter(uint64_t track, int64_t value) {
  Packet p = Begin(track, kCounterType);
  p.proto.Varint(field::kCounterValue, static_cast<uint64_t>(value));
  End(&p);
}

// ---- turns ----

void Converter::BeginTurn(int stream, uint64_t goid) {
  Processor& pp = processors_[stream];
  if (pp.goid != 0) EndTurn(stream, kWhyUnknown);
  pp.goid = goid;
  Goroutine& g = goroutines_.Add(goid);
  Packet p = Begin(TrackOfP(stream), kSliceBegin);
  p.proto.Varint(field::kNameIid, g.name != 0 ? g.name : kUnknown);
  Annotate(&p.proto, kOfGoroutine, goid);
  if (g.flow != 0) p.proto.Fixed64(field::kLastFlows, g.flow);
  g.flow = 0;
  End(&p);
}

void Converter::EndSyscall(int stream) {
  Processor& pp = processors_[stream];
  if (!pp.in_syscall && !pp.stopping) return;
  pp.in_syscall = false;
  pp.stopping = false;
  EndSlice(TrackOfP(stream));
}

void Converter::EndTurn(int stream, uint32_t reason) {
  Processor& pp = processors_[stream];
  if (pp.goid == 0) return;
  EndSyscall(stream);
  pp.goid = 0;
  Packet p = Begin(TrackOfP(stream), kSliceEnd);
  AnnotateString(&p.proto, kOfWhy, reason);
  End(&p);
}

void Converter::Born(uint64_t goid, uint64_t pc) {
  Goroutine& g = goroutines_.Add(goid);
  if (!g.alive) ++alive_;
  g.alive = true;
  g.name = NameOfPlace(pc);
}

void Converter::Ready(int stream, uint64_t goid, uint8_t by) {
  Goroutine& g = goroutines_.Add(goid);
  g.flow = next_flow_++;
  Packet p = Begin(TrackOfP(stream), kInstant);
  p.proto.Varint(field::kNameIid, kNameWake);
  Annotate(&p.proto, kOfGoroutine, goid);
  AnnotateString(&p.proto, kOfBy, kFirstBy + by);
  p.proto.Fixed64(field::kFlows, g.flow);
  End(&p);
}

void Converter::Depth(int stream, uint32_t depth) {
  Processor& pp = processors_[stream];
  if (depth == pp.depth || ns_ - pp.depth_ns < kDepthEveryNs) return;
  pp.depth = depth;
  pp.depth_ns = ns_;
  Counter(DepthOfP(stream), depth);
}

void Converter::Counts() {
  if (ns_ - counts_ns_ < kCountsEveryNs) return;
  counts_ns_ = ns_;
  Counter(kCountTrack, alive_);
}

// ---- what the scheduler says ----

void Converter::OnScheduler(int stream, TraceEv ev, uint8_t sub, const uint64_t* words) {
  Processor& pp = processors_[stream];
  const uint64_t goid = words[0] & ((uint64_t{1} << kGoidBits) - 1);
  const uint64_t extra = words[0] >> kGoidBits;
  const bool its_turn = pp.goid == goid;
  switch (ev) {
    case TraceEv::kGoCreate: {
      Born(goid, words[1]);
      Goroutine& g = goroutines_.Add(goid);
      g.flow = next_flow_++;
      Packet p = Begin(TrackOfP(stream), kInstant);
      p.proto.Varint(field::kNameIid, kNameGo);
      Annotate(&p.proto, kOfGoroutine, goid);
      p.proto.Fixed64(field::kFlows, g.flow);
      End(&p);
      return Counts();
    }
    case TraceEv::kGoStart:
      BeginTurn(stream, goid);
      return Depth(stream, static_cast<uint32_t>(extra));
    case TraceEv::kGoPark:
      if (its_turn) EndTurn(stream, kFirstWait + sub);
      return;
    case TraceEv::kGoSched:
      if (its_turn) EndTurn(stream, kWhyYield);
      return;
    case TraceEv::kGoLoseP:
      if (its_turn) EndTurn(stream, kWhyLost);
      return;
    case TraceEv::kGoEnd:
      if (its_turn) EndTurn(stream, kWhyEnd);
      if (Goroutine* g = goroutines_.Find(goid); g != nullptr) {
        if (g->alive) --alive_;
        goroutines_.Remove(goid);
      }
      return Counts();
    case TraceEv::kGoReady:
      return Ready(stream, goid, sub);
    case TraceEv::kSysEnter: {
      if (!its_turn) return;
      EndSyscall(stream);
      pp.in_syscall = true;
      Packet p = Begin(TrackOfP(stream), kSliceBegin);
      p.proto.Varint(field::kNameIid, kNameSyscall);
      return End(&p);
    }
    case TraceEv::kSysExit:
      return its_turn ? EndSyscall(stream) : BeginTurn(stream, goid);
    case TraceEv::kSysBlock:
      return EndTurn(stream, kWhySyscall);
    case TraceEv::kPStart:
    case TraceEv::kProcs: {
      Packet p = Begin(TrackOfP(stream), kInstant);
      p.proto.Varint(field::kNameIid, ev == TraceEv::kPStart ? kNameThread : kNameProcs);
      Annotate(&p.proto, kOfNumber, extra);
      return End(&p);
    }
    case TraceEv::kPStop:
      return EndTurn(stream, pp.in_syscall ? kWhySyscall : kWhyUnknown);
    case TraceEv::kStwBegin: {
      if (pp.goid == 0 || pp.stopping) return;
      pp.stopping = true;
      Packet p = Begin(TrackOfP(stream), kSliceBegin);
      p.proto.Varint(field::kNameIid, kNameStop);
      return End(&p);
    }
    case TraceEv::kStwEnd:
      return EndSyscall(stream);
    case TraceEv::kSteal: {
      Packet p = Begin(TrackOfP(stream), kInstant);
      p.proto.Varint(field::kNameIid, kNameSteal);
      Annotate(&p.proto, kOfGoroutine, goid);
      Annotate(&p.proto, kOfFrom, extra);
      return End(&p);
    }
    case TraceEv::kCount:
      return;
  }
}

// ---- what the program says ----

void Converter::Speaks(uint64_t goid, uint8_t kind, std::string_view text) {
  if (goid == 0) goid = kThreads;
  Goroutine& g = goroutines_.Add(goid);
  if (!g.has_track) DescribeGoroutine(goid, &g);
  if (kind == kRecRegionEnd && g.regions == 0) return;  // it began before the trace
  if (kind == kRecRegionBegin) ++g.regions;
  if (kind == kRecRegionEnd) --g.regions;
  const uint32_t type = kind == kRecLog           ? kInstant
                        : kind == kRecRegionBegin ? kSliceBegin
                                                  : kSliceEnd;
  Packet p = Begin(TrackOfGoroutine(goid), type);
  if (kind != kRecRegionEnd) p.proto.Bytes(field::kText, text);
  End(&p);
}

void Converter::Said(int stream, uint8_t kind, uint8_t sub, const uint64_t* words) {
  switch (kind) {
    case kRecState:
      return Born(words[0], words[1]);
    case kRecName: {
      const uint32_t name = NameOfText(TextOf(words + 1, sub));
      goroutines_.Add(words[0]).name = name;
      return;
    }
    case kRecLost: {
      EndTurn(stream, kWhyUnknown);
      Packet p = Begin(TrackOfP(stream), kInstant);
      p.proto.Varint(field::kNameIid, kNameLost);
      Annotate(&p.proto, kOfNumber, words[0]);
      return End(&p);
    }
    case kRecTaskBegin: {
      const std::string_view name = TextOf(words + 3, sub);
      tasks_.Add(words[0]) = 1;
      AddTrack(TrackOfTask(words[0]), words[1] != 0 ? TrackOfTask(words[1]) : kProcessTrack, name,
               false);
      Packet p = Begin(TrackOfTask(words[0]), kSliceBegin);
      p.proto.Bytes(field::kText, name);
      Annotate(&p.proto, kOfGoroutine, words[2]);
      return End(&p);
    }
    case kRecTaskEnd: {
      if (tasks_.Find(words[0]) == nullptr) return;
      tasks_.Remove(words[0]);
      return EndSlice(TrackOfTask(words[0]));
    }
    default:
      return Speaks(words[0], kind, TextOf(words + 1, sub));
  }
}

void Converter::Event(int stream, int64_t ns, const uint64_t* record) {
  Processor& pp = processors_[stream];
  if (!pp.described) DescribeP(stream);
  if (ns > pp.ns) pp.ns = ns;
  ns_ = pp.ns;
  const uint8_t kind = HeadKind(record[0]);
  const uint8_t sub = HeadSub(record[0]);
  if (kind < static_cast<uint8_t>(TraceEv::kCount)) {
    OnScheduler(stream, static_cast<TraceEv>(kind), sub, record + 1);
  } else {
    Said(stream, kind, sub, record + 1);
  }
}

void Converter::Finish(int64_t ns, uint64_t lost) {
  for (int i = 0; i < kStreams; ++i) {
    Processor& pp = processors_[i];
    if (pp.goid == 0) continue;
    ns_ = ns > pp.ns ? ns : pp.ns;
    EndTurn(i, kWhyLast);
  }
  ns_ = ns;
  goroutines_.ForEach([this](uint64_t goid, const Goroutine& g) {
    for (int i = 0; i < g.regions; ++i) EndSlice(TrackOfGoroutine(goid));
  });
  tasks_.ForEach([this](uint64_t id, uint8_t) { EndSlice(TrackOfTask(id)); });
  Counter(kCountTrack, alive_);
  if (lost == 0) return;
  Packet p = Begin(kProcessTrack, kInstant);
  p.proto.Varint(field::kNameIid, kNameLost);
  Annotate(&p.proto, kOfNumber, lost);
  End(&p);
}

}  // namespace gort::rt
