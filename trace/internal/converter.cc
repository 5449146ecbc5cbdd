#include "gort/trace/internal/converter.h"

#include <utility>

#include "gort/trace/internal/perfetto.h"
#include "gort/trace/internal/utf8.h"

namespace gort::rt {
namespace {

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

std::string_view TextOf(const uint64_t* words, uint8_t bytes) {
  return {reinterpret_cast<const char*>(words), bytes};
}

}  // namespace

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

Converter::Packet Converter::BeginNamed(int stream, uint32_t type, uint32_t name) {
  Packet p = Begin(TrackOfP(stream), type);
  p.proto.Varint(field::kNameIid, name);
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
  // Who returns from a call may find its old P in the call of another, and take it.
  if (pp.goid != 0) EndTurn(stream, pp.in_syscall ? kWhySyscall : kWhyUnknown);
  pp.goid = goid;
  Goroutine& g = goroutines_.Add(goid);
  Packet p = BeginNamed(stream, kSliceBegin, g.name != 0 ? g.name : kUnknown);
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
  if (g.name == 0) g.name = NameOfPlace(pc);
  if (!std::exchange(g.alive, true)) Live(1);
}

void Converter::Ready(int stream, uint64_t goid, uint8_t by) {
  Goroutine& g = goroutines_.Add(goid);
  g.flow = next_flow_++;
  Packet p = BeginNamed(stream, kInstant, kNameWake);
  Annotate(&p.proto, kOfGoroutine, goid);
  AnnotateString(&p.proto, kOfBy, kFirstBy + by);
  p.proto.Fixed64(field::kFlows, g.flow);
  End(&p);
}

// ---- counters ----

// What changes again soon is not written each time, but the last of it, which may stay for long, always is: TellRest,
// at the time that it has been there since.

void Converter::Depth(int stream, uint32_t depth) {
  Processor& pp = processors_[stream];
  if (depth != pp.depth) pp.depth_ns = ns_;
  pp.depth = depth;
  if (ns_ - pp.depth_told_ns >= kDepthEveryNs) TellDepth(stream);
}

void Converter::TellDepth(int stream) {
  Processor& pp = processors_[stream];
  if (pp.depth == pp.depth_told) return;
  pp.depth_told = pp.depth;
  pp.depth_told_ns = ns_;
  CounterSince(pp.depth_ns, DepthOfP(stream), pp.depth);
}

void Converter::Live(int change) {
  alive_ += change;
  alive_ns_ = ns_;
  if (ns_ - alive_told_ns_ >= kCountsEveryNs) TellAlive();
}

void Converter::TellAlive() {
  if (alive_ == alive_told_) return;
  alive_told_ = alive_;
  alive_told_ns_ = ns_;
  CounterSince(alive_ns_, kCountTrack, alive_);
}

void Converter::TellRest(int stream) {
  if (ns_ - processors_[stream].depth_told_ns >= kDepthEveryNs) TellDepth(stream);
  if (ns_ - alive_told_ns_ >= kCountsEveryNs) TellAlive();
}

void Converter::CounterSince(int64_t ns, uint64_t track, int64_t value) {
  const int64_t now = ns_;
  if (ns != 0) ns_ = ns;  // 0: since before the first event
  Counter(track, value);
  ns_ = now;
}

// ---- what the scheduler says ----

namespace {

// Why a goroutine's own event ends its turn; 0: it does not.
uint32_t WhyItEnds(TraceEv ev, uint8_t sub) {
  switch (ev) {
    case TraceEv::kGoPark:
      return kFirstWait + sub;
    case TraceEv::kGoSched:
      return kWhyYield;
    case TraceEv::kGoLoseP:
      return kWhyLost;
    case TraceEv::kGoEnd:
      return kWhyEnd;
    default:
      return 0;
  }
}

}  // namespace

void Converter::Create(int stream, uint64_t goid, uint64_t pc) {
  Born(goid, pc);
  Goroutine& g = goroutines_.Add(goid);
  g.flow = next_flow_++;
  Packet p = BeginNamed(stream, kInstant, kNameGo);
  Annotate(&p.proto, kOfGoroutine, goid);
  p.proto.Fixed64(field::kFlows, g.flow);
  End(&p);
}

void Converter::Gone(uint64_t goid) {
  const Goroutine* g = goroutines_.Find(goid);
  if (g == nullptr) return;
  const bool alive = g->alive;
  goroutines_.Remove(goid);
  if (alive) Live(-1);
}

void Converter::BeginSyscall(int stream) {
  EndSyscall(stream);
  processors_[stream].in_syscall = true;
  Packet p = BeginNamed(stream, kSliceBegin, kNameSyscall);
  End(&p);
}

void Converter::BeginStop(int stream) {
  Processor& pp = processors_[stream];
  if (pp.goid == 0 || pp.stopping) return;
  pp.stopping = true;
  Packet p = BeginNamed(stream, kSliceBegin, kNameStop);
  End(&p);
}

void Converter::Steal(int stream, uint64_t goid, uint64_t from) {
  Packet p = BeginNamed(stream, kInstant, kNameSteal);
  Annotate(&p.proto, kOfGoroutine, goid);
  Annotate(&p.proto, kOfFrom, from);
  End(&p);
}

void Converter::Number(int stream, uint32_t name, uint64_t number) {
  Packet p = BeginNamed(stream, kInstant, name);
  Annotate(&p.proto, kOfNumber, number);
  End(&p);
}

void Converter::OnScheduler(int stream, const Record& r) {
  const Processor& pp = processors_[stream];
  const auto ev = static_cast<TraceEv>(r.kind);
  const uint64_t goid = r.words[0] & ((uint64_t{1} << kGoidBits) - 1);
  const uint64_t extra = r.words[0] >> kGoidBits;
  const bool its_turn = pp.goid == goid;
  if (const uint32_t why = WhyItEnds(ev, r.sub); why != 0 && its_turn) EndTurn(stream, why);
  switch (ev) {
    case TraceEv::kGoCreate:
      return Create(stream, goid, r.place);
    case TraceEv::kGoStart:
      BeginTurn(stream, goid);
      return Depth(stream, r.sub);
    case TraceEv::kGoEnd:
      return Gone(goid);
    case TraceEv::kGoReady:
      return Ready(stream, goid, r.sub);
    case TraceEv::kSysEnter:
      return its_turn ? BeginSyscall(stream) : void();
    case TraceEv::kSysExit:
      return its_turn ? EndSyscall(stream) : BeginTurn(stream, goid);
    case TraceEv::kSysBlock:
      return EndTurn(stream, kWhySyscall);
    case TraceEv::kPStart:
      return Number(stream, kNameThread, extra);
    case TraceEv::kProcs:
      return Number(stream, kNameProcs, extra);
    case TraceEv::kPStop:
      return EndTurn(stream, pp.in_syscall ? kWhySyscall : kWhyUnknown);
    case TraceEv::kStwBegin:
      return BeginStop(stream);
    case TraceEv::kStwEnd:
      return EndSyscall(stream);
    case TraceEv::kSteal:
      return Steal(stream, goid, extra);
    case TraceEv::kGoPark:
    case TraceEv::kGoSched:
    case TraceEv::kGoLoseP:
    case TraceEv::kCount:
      return;  // WhyItEnds
  }
}

// ---- what the program says ----

void Converter::Speaks(uint64_t goid, uint8_t kind, std::string_view text) {
  Goroutine& g = goroutines_.Add(goid);
  if (!g.has_track) DescribeGoroutine(goid, &g);
  if (kind == kRecRegionEnd && g.regions == 0) return;  // it began before the trace
  if (kind == kRecRegionBegin) ++g.regions;
  if (kind == kRecRegionEnd) --g.regions;
  const uint32_t type = kind == kRecLog           ? kInstant
                        : kind == kRecRegionBegin ? kSliceBegin
                                                  : kSliceEnd;
  Packet p = Begin(TrackOfGoroutine(goid), type);
  if (kind != kRecRegionEnd) p.proto.Bytes(field::kText, Utf8(text).text());
  End(&p);
}

// A parent that began before the trace has no track.
void Converter::BeginTask(uint64_t id, uint64_t parent, uint64_t goid, std::string_view name) {
  const bool known = parent != 0 && tasks_.Find(parent) != nullptr;
  tasks_.Add(id).open = true;
  AddTrack(TrackOfTask(id), known ? TrackOfTask(parent) : kProcessTrack, name, false);
  Packet p = Begin(TrackOfTask(id), kSliceBegin);
  p.proto.Bytes(field::kText, Utf8(name).text());
  Annotate(&p.proto, kOfGoroutine, goid);
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
    case kRecPlace:
      return;
    case kRecLost: {
      EndTurn(stream, kWhyUnknown);
      return Number(stream, kNameLost, words[0]);
    }
    case kRecTaskBegin:
      return BeginTask(words[0], words[1], words[2], TextOf(words + 3, sub));
    case kRecTaskEnd: {
      Task* task = tasks_.Find(words[0]);
      if (task == nullptr || !std::exchange(task->open, false)) return;
      return EndSlice(TrackOfTask(words[0]));
    }
    default:
      return Speaks(words[0], kind, TextOf(words + 1, sub));
  }
}

void Converter::Event(int stream, int64_t ns, const Record& r) {
  Processor& pp = processors_[stream];
  if (!pp.described) DescribeP(stream);
  if (ns > pp.ns) pp.ns = ns;
  ns_ = pp.ns;
  TellRest(stream);
  if (r.kind < static_cast<uint8_t>(TraceEv::kCount)) {
    OnScheduler(stream, r);
  } else {
    Said(stream, r.kind, r.sub, r.words);
  }
}

// ---- what a recording has forgotten ----

void Converter::LookAhead(const Record& r) {
  const uint64_t goid = r.words[0];
  switch (r.kind) {
    case static_cast<uint8_t>(TraceEv::kGoCreate):
      made_here_.Add(goid) = 1;
      // Who lives now was not there before.
      if (Goroutine* g = goroutines_.Find(goid); g != nullptr && std::exchange(g->alive, false)) {
        --alive_;
      }
      return;
    case static_cast<uint8_t>(TraceEv::kGoEnd):
      if (r.place != 0) Known(goid, r.place, {});
      return;
    case kRecName:
      if (made_here_.Find(goid) == nullptr)
        goroutines_.Add(goid).name = NameOfText(TextOf(r.words + 1, r.sub));
      return;
    default:
      return;
  }
}

void Converter::Known(uint64_t goid, uint64_t pc, std::string_view name) {
  if (made_here_.Find(goid) != nullptr) return;
  if (!name.empty()) goroutines_.Add(goid).name = NameOfText(name);
  Born(goid, pc);
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
  tasks_.ForEach([this](uint64_t id, Task task) {
    if (task.open) EndSlice(TrackOfTask(id));
  });
  for (int i = 0; i < kStreams; ++i) TellDepth(i);
  TellAlive();
  Counter(kCountTrack, alive_);
  if (lost == 0) return;
  Packet p = Begin(kProcessTrack, kInstant);
  p.proto.Varint(field::kNameIid, kNameLost);
  Annotate(&p.proto, kOfNumber, lost);
  End(&p);
}

}  // namespace gort::rt
