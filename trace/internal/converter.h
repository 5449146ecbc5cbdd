// trace/internal/converter.h: from events to Perfetto's packets.
// What      a track for each P, on which a goroutine's turn is a slice; arrows from who wakes to the turn
//           that follows; a track for each goroutine and task that the program speaks of; counters.
//           Field numbers are those of protos/perfetto/trace (tests/trace/perfetto.proto).
// Layer     7. One thread.
#ifndef GORT_TRACE_INTERNAL_CONVERTER_H_
#define GORT_TRACE_INTERNAL_CONVERTER_H_

#include <cstdint>
#include <string_view>

#include "gort/base/proto.h"
#include "gort/trace/internal/id_table.h"
#include "gort/trace/internal/merge.h"
#include "gort/trace/internal/recorder.h"
#include "gort/trace/internal/sink.h"

namespace gort::rt {

class Converter {
 public:
  // Writes to *sink, which stays the caller's, beginning with what describes the trace.
  explicit Converter(Sink* sink);

  // The event of a record of a stream. Events come in the order of their times.
  void Event(int stream, int64_t ns, const Record& r);
  // Of a recording that has forgotten its beginning, before the events: the goroutines that live now, then each record
  // once. They tell who was there before. `now` is before the recording's end: who has been born since, or has died
  // since, is in a record.
  void Known(uint64_t goid, uint64_t pc, std::string_view name);
  void LookAhead(const Record& r);
  // Ends what is open.
  void Finish(int64_t ns, uint64_t lost);

 private:
  // A goroutine that is alive, or of which the program has spoken.
  struct Goroutine {
    uint64_t flow;  // the arrow that leads to its next turn; 0: none
    uint32_t name;  // of its slices; 0: not known
    bool alive;
    bool has_track;
    uint16_t regions;  // that are open
  };
  struct Processor {
    uint64_t goid;     // whose turn it is; 0: nobody's
    int64_t ns;        // of the last event
    uint32_t depth;    // of its queue
    int64_t depth_ns;  // since when
    uint32_t depth_told;
    int64_t depth_told_ns;  // when it was written
    bool described;
    bool in_syscall;
    bool stopping;  // the world
  };

  // Of which the trace has a track.
  struct Task {
    bool open;
  };

  void Describe();
  void DescribeP(int stream);
  void DescribeGoroutine(uint64_t goid, Goroutine* g);
  uint32_t NameOfPlace(uint64_t pc);
  uint32_t NameOfText(std::string_view text);
  uint32_t AddName(std::string_view text);
  void AddTrack(uint64_t uuid, uint64_t parent, std::string_view name, bool counter);

  void BeginTurn(int stream, uint64_t goid);
  void EndTurn(int stream, uint32_t reason);
  void BeginSyscall(int stream);
  void BeginStop(int stream);
  void EndSyscall(int stream);  // or the stop of the world
  void Born(uint64_t goid, uint64_t pc);
  void Create(int stream, uint64_t goid, uint64_t pc);
  void Gone(uint64_t goid);
  void Ready(int stream, uint64_t goid, uint8_t by);
  void Steal(int stream, uint64_t goid, uint64_t from);
  void Number(int stream, uint32_t name, uint64_t number);
  void Depth(int stream, uint32_t depth);
  void TellDepth(int stream);
  void Live(int change);
  void TellAlive();
  void TellRest(int stream);
  void BeginTask(uint64_t id, uint64_t parent, uint64_t goid, std::string_view name);
  void Said(int stream, uint8_t kind, uint8_t sub, const uint64_t* words);
  void Speaks(uint64_t goid, uint8_t kind, std::string_view text);
  void OnScheduler(int stream, const Record& r);

  // A packet with a track event, to be ended with End.
  struct Packet {
    Proto proto;
    char* packet;
    char* event;
  };
  Packet Begin(uint64_t track, uint32_t type);
  Packet BeginNamed(int stream, uint32_t type, uint32_t name);
  void End(Packet* p);
  void EndSlice(uint64_t track);
  void Counter(uint64_t track, int64_t value);
  void CounterSince(int64_t ns, uint64_t track, int64_t value);

  Sink* const sink_;
  int64_t ns_ = 0;  // of the event in hand
  // The upper bits of the last time that was written, and their encoding (Proto::VarintOfParts).
  uint64_t stamp_ = 0;
  uint64_t stamp_code_ = 0;
  uint32_t stamp_bytes_ = 1;
  uint64_t next_flow_ = 1;
  uint32_t next_name_;
  int64_t alive_ = 0;     // goroutines
  int64_t alive_ns_ = 0;  // since when so many
  int64_t alive_told_ = 0;
  int64_t alive_told_ns_ = 0;  // when it was written
  IdTable<Goroutine> goroutines_;
  IdTable<uint32_t> places_;  // pc -> name
  IdTable<uint32_t> texts_;   // hash -> name
  IdTable<Task> tasks_;
  IdTable<uint8_t> made_here_;  // goroutines whose creation has not been forgotten
  Processor processors_[kStreams] = {};
};

}  // namespace gort::rt

#endif  // GORT_TRACE_INTERNAL_CONVERTER_H_
