// Records written by hand, merged and converted, and what the file says of them.
#include "gort/trace/internal/converter.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gort/gmp/trace_hook.h"
#include "gort/trace/internal/merge.h"
#include "gort/trace/internal/record.h"
#include "gort/trace/internal/recorder.h"
#include "gort/trace/internal/sink.h"
#include "gort/trace/internal/utf8.h"
#include "gort/trace/testing/decoded.h"

namespace gort::rt {
namespace {

using ::gort::testing::DecodedTrace;
using ::gort::testing::TraceItem;

constexpr uint64_t kBegin = uint64_t{1} << 40;  // ns; ticks are ns here
constexpr uint64_t kMs = 1'000'000;

// Streams of one chunk each.
class Records {
 public:
  // A record of what is said in words (and text), so long after the beginning.
  void Put(int stream, uint64_t at, uint8_t kind, uint8_t sub, std::vector<uint64_t> words,
           std::string_view text = {}) {
    Chunk* c = At(stream);
    uint64_t* w = c->words + c->used.load();
    w[0] = LongHead(kBegin + at - last_[stream], kind, sub);
    last_[stream] = kBegin + at;
    memcpy(w + 1, words.data(), words.size() * sizeof *w);
    memcpy(w + 1 + words.size(), text.data(), text.size());
    c->used.store(c->used.load() + RecordWords(kind, sub));
  }
  void Put(int stream, uint64_t at, TraceEv ev, uint64_t goid, uint8_t sub = 0) {
    Put(stream, at, static_cast<uint8_t>(ev), sub, {goid});
  }
  void Say(int stream, uint64_t at, uint8_t kind, std::vector<uint64_t> words,
           std::string_view text) {
    Put(stream, at, kind, static_cast<uint8_t>(text.size()), std::move(words), text);
  }
  Chunk* const* firsts() const { return firsts_; }

 private:
  Chunk* At(int stream) {
    if (firsts_[stream] == nullptr) {
      chunks_.push_back(std::make_unique<Chunk>());
      firsts_[stream] = chunks_.back().get();
      firsts_[stream]->base = last_[stream] = kBegin;
    }
    return firsts_[stream];
  }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  Chunk* firsts_[kStreams] = {};
  uint64_t last_[kStreams] = {};
};

struct Alive {
  uint64_t goid;
  const char* name;
};

// The file of these, up to `end` after the beginning; of a recording that has forgotten its own, if so many live now.
std::string FileOf(const Records& records, uint64_t end, std::initializer_list<Alive> alive = {},
                   bool forgotten = false) {
  const std::string path = ::testing::TempDir() + "/converter." + std::to_string(getpid());
  static Sink sink;
  EXPECT_TRUE(sink.Open(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)));
  auto converter = std::make_unique<Converter>(&sink);
  Merge merge;
  if (forgotten) {
    for (const Alive& g : alive) converter->Known(g.goid, 0, g.name);
    merge.Restart(records.firsts(), kBegin + end);
    merge.All([&](int, const Record& r) { converter->LookAhead(r); });
  }
  merge.Restart(records.firsts(), kBegin + end);
  merge.All([&](int stream, const Record& r) {
    converter->Event(stream, static_cast<int64_t>(r.ticks), r);
  });
  converter->Finish(static_cast<int64_t>(kBegin + end), 0);
  EXPECT_EQ(sink.Close(), 0);
  std::ifstream in(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), {});
  unlink(path.c_str());
  return bytes;
}

DecodedTrace Read(const std::string& file) {
  DecodedTrace t = testing::DecodeTrace(file);
  EXPECT_EQ(testing::Inconsistency(t), "");
  return t;
}

// What a counter showed at a moment after the beginning.
int64_t Shown(const DecodedTrace& t, const std::string& track, uint64_t at) {
  int64_t value = 0;
  for (const TraceItem& i : t.On(track)) {
    if (i.ns <= kBegin + at) value = i.value;
  }
  return value;
}

TEST(ConverterTest, OfRecordsOfOneTimeTheCauseComesFirst) {
  Records r;
  r.Put(5, 10, TraceEv::kGoStart, 1);
  r.Put(5, 20, TraceEv::kGoCreate, 2);
  r.Put(0, 20, TraceEv::kGoStart, 2);
  r.Put(0, 30, TraceEv::kGoPark, 2, 1);
  r.Put(5, 30, TraceEv::kGoReady, 2);
  r.Put(3, 30, TraceEv::kSteal, 2);
  r.Put(2, 30, TraceEv::kGoStart, 2);
  std::vector<int> streams;
  Merge merge;
  merge.Restart(r.firsts());
  merge.All([&](int stream, const Record&) { streams.push_back(stream); });
  EXPECT_EQ(streams, (std::vector<int>{5, 5, 0, 0, 5, 3, 2}));
  const DecodedTrace t = Read(FileOf(r, 100));
  for (const TraceItem& i : t.items) {
    if (i.type != TraceItem::kBegin || i.goid() != 2) continue;
    EXPECT_EQ(i.last_flows.size(), 1u);
  }
}

TEST(ConverterTest, AStreamEndsAtTheMoment) {
  Records r;
  r.Put(0, 10, TraceEv::kGoStart, 1);
  r.Put(0, 20, TraceEv::kGoCreate, 2);
  r.Put(0, 21, TraceEv::kGoCreate, 3);
  r.Put(1, 30, TraceEv::kGoStart, 3);
  const DecodedTrace t = Read(FileOf(r, 20));
  ASSERT_EQ(t.Named("go").size(), 1u);
  EXPECT_EQ(t.Named("go")[0].goid(), 2u);
  EXPECT_TRUE(t.On("P1").empty());
}

TEST(ConverterTest, ACounterThatStaysIsWhatWasThereLast) {
  Records r;
  r.Put(0, 0, TraceEv::kGoStart, 1, 0);
  r.Put(0, kMs, TraceEv::kGoCreate, 2);
  r.Put(0, kMs + 1, TraceEv::kGoCreate, 3);
  r.Put(0, kMs + 10, TraceEv::kGoPark, 1, 1);
  r.Put(0, kMs + 10, TraceEv::kGoStart, 2, 1);
  r.Put(0, kMs + 20, TraceEv::kGoEnd, 2);
  r.Put(0, kMs + 20, TraceEv::kGoStart, 3, 0);
  r.Put(0, kMs + 30, TraceEv::kGoEnd, 3);
  // Then there is nothing for long.
  r.Put(1, 500 * kMs, TraceEv::kGoStart, 4, 0);
  const DecodedTrace t = Read(FileOf(r, 1000 * kMs));
  EXPECT_EQ(Shown(t, "P0 queue", kMs + 15), 1);
  EXPECT_EQ(Shown(t, "P0 queue", 2 * kMs), 0);
  EXPECT_EQ(Shown(t, "goroutines", 400 * kMs), 0);
}

TEST(ConverterTest, WhoIsBornWhileTheFileIsMadeWasNotThereBefore) {
  Records r;
  r.Put(0, 0, TraceEv::kGoStart, 1);
  r.Put(0, kMs, TraceEv::kGoCreate, 7);
  r.Put(0, 2 * kMs, TraceEv::kGoStart, 8);
  r.Put(0, 3 * kMs, kRecPlace, 0, {0x1000});
  r.Put(0, 3 * kMs, TraceEv::kGoEnd, 8);
  const std::string file =
      FileOf(r, 4 * kMs, {{1, "one"}, {7, "seven"}, {8, "eight"}, {9, ""}}, true);
  const DecodedTrace t = Read(file);
  EXPECT_EQ(Shown(t, "goroutines", 0), 3);  // 1, 8 and 9
  EXPECT_EQ(Shown(t, "goroutines", kMs), 4);
  EXPECT_EQ(Shown(t, "goroutines", 4 * kMs), 3);
  EXPECT_EQ(t.Named("eight").size(), 1u);
}

TEST(ConverterTest, ATaskWithoutAKnownParentIsTheProcesss) {
  Records r;
  r.Say(0, 10, kRecTaskBegin, {2, 1, 1}, "child");
  r.Say(0, 20, kRecTaskBegin, {3, 2, 1}, "grandchild");
  r.Put(0, 30, kRecTaskEnd, 0, {2});
  r.Say(0, 40, kRecTaskBegin, {4, 2, 1}, "late");
  r.Put(0, 50, kRecTaskEnd, 0, {2});  // it has ended
  r.Put(0, 60, kRecTaskEnd, 0, {1});  // nobody knows it
  const std::string file = FileOf(r, 100);
  const DecodedTrace t = Read(file);
  EXPECT_EQ(t.tracks.size(), 2u + 2 + 3);  // the process, its count, P0 and its queue, the tasks
  // The child's descriptor: its parent (field 5) is track 1.
  const size_t at = file.find(
      "\x12\x05"
      "child");
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(file.substr(at - 2, 2), std::string("\x28\x01"));
}

TEST(ConverterTest, TextsAreUtf8) {
  const std::string cut = std::string(247, 'x') + "\xc3";  // of a longer one
  Records r;
  r.Put(0, 0, TraceEv::kGoStart, 1);
  r.Say(0, 10, kRecLog, {1}, "\"\\\n\x01 \xff");
  r.Say(0, 20, kRecTaskBegin, {1, 0, 1}, cut);
  r.Say(0, 30, kRecName, {2}, "\xe2\x82\xac \xe2\x82");
  r.Put(0, 40, TraceEv::kGoStart, 2);
  const DecodedTrace t = Read(FileOf(r, 100));
  EXPECT_EQ(t.Named("\"\\\n\x01 ?").size(), 1u);
  EXPECT_EQ(t.Named(std::string(247, 'x') + "?").size(), 1u);
  EXPECT_EQ(t.Named("\xe2\x82\xac ??").size(), 1u);
}

TEST(ConverterTest, WhatIsACharacter) {
  const struct {
    std::string_view text;
    size_t bytes;
  } kCases[] = {
      {"a", 1},
      {std::string_view("\0", 1), 1},
      {"\x7f", 1},
      {"\xc2\x80", 2},
      {"\xe0\xa0\x80", 3},
      {"\xed\x9f\xbf", 3},
      {"\xef\xbf\xbf", 3},
      {"\xf0\x90\x80\x80", 4},
      {"\xf4\x8f\xbf\xbf", 4},
      {"\x80", 0},
      {"\xc1\xbf", 0},          // too long a form
      {"\xe0\x9f\xbf", 0},      // likewise
      {"\xf0\x8f\xbf\xbf", 0},  // likewise
      {"\xed\xa0\x80", 0},      // half of a pair
      {"\xf4\x90\x80\x80", 0},  // beyond the last
      {"\xf5\x80\x80\x80", 0},
      {"\xe2\x82", 0},
      {"\xe2\x28\xa1", 0},
  };
  for (const auto& c : kCases) EXPECT_EQ(CharacterBytes(c.text), c.bytes) << c.text;
}

}  // namespace
}  // namespace gort::rt
