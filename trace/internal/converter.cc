#include "gort/trace/internal/converter.h"

#include "gort/trace/internal/perfetto.h"

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
  if (g.name == 0) g.name = NameOfPlace(pc);
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

void Converter::OnScheduler(int stream, const Record& r) {
  Processor& pp = processors_[stream];
  const auto ev = static_cast<TraceEv>(r.kind);
  const uint64_t goid = r.words[0] & ((uint64_t{1} << kGoidBits) - 1);
  const uint64_t extra = r.words[0] >> kGoidBits;
  const bool its_turn = pp.goid == goid;
  switch (ev) {
    case TraceEv::kGoCreate: {
      Born(goid, r.place);
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
      return Depth(stream, r.sub);
    case TraceEv::kGoPark:
      if (its_turn) EndTurn(stream, kFirstWait + r.sub);
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
      return Ready(stream, goid, r.sub);
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
    case kRecPlace:
      return;
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

void Converter::Event(int stream, int64_t ns, const Record& r) {
  Processor& pp = processors_[stream];
  if (!pp.described) DescribeP(stream);
  if (ns > pp.ns) pp.ns = ns;
  ns_ = pp.ns;
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
  tasks_.ForEach([this](uint64_t id, uint8_t) { EndSlice(TrackOfTask(id)); });
  Counter(kCountTrack, alive_);
  if (lost == 0) return;
  Packet p = Begin(kProcessTrack, kInstant);
  p.proto.Varint(field::kNameIid, kNameLost);
  Annotate(&p.proto, kOfNumber, lost);
  End(&p);
}

}  // namespace gort::rt
