// What a trace says of its tracks and names, each before it is first used.
#include <cstring>

#include "gort/base/throw.h"
#include "gort/gmp/sched.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/thread.h"
#include "gort/trace/internal/converter.h"
#include "gort/trace/internal/perfetto.h"
#include "gort/trace/internal/utf8.h"
#include "gort/traceback/demangle.h"
#include "gort/traceback/symbolize.h"

namespace gort::rt {
namespace {

void Interned(Proto* p, uint32_t list, uint32_t iid, std::string_view text) {
  char* e = p->Open(list);
  p->Varint(field::kIid, iid);
  p->Bytes(field::kIname, Utf8(text).text());
  p->Close(e);
}

void AddClock(Proto* p, uint32_t id, int64_t ns) {
  char* c = p->Open(field::kClocks);
  p->Varint(field::kClockId, id);
  p->Varint(field::kClockTimestamp, static_cast<uint64_t>(ns));
  p->Close(c);
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
  p.Bytes(field::kProcessName, Utf8(std::string_view(sched.program).substr(0, kMaxText)).text());
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
  p.Bytes(field::kTrackName, Utf8(name).text());
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
  if ((goid & kThreadBit) != 0) {
    name << "thread " << (goid & ~kThreadBit);
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

}  // namespace gort::rt
