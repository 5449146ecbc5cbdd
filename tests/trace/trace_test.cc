// What a trace says of a program of which we know what it does.
#include "gort/trace/trace.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "gort/chan/chan.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/metrics/metrics.h"
#include "gort/runtime.h"
#include "gort/sync/mutex.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/support/goroutines.h"
#include "gort/tests/support/process.h"
#include "gort/timer/sleep.h"
#include "gort/trace/internal/session.h"
#include "gort/trace/testing/decoded.h"

namespace gort {
namespace {

using ::gort::testing::DecodedTrace;
using ::gort::testing::DecodeTraceFile;
using ::gort::testing::Eventually;
using ::gort::testing::Inconsistency;
using ::gort::testing::InGort;
using ::gort::testing::Procs;
using ::gort::testing::TraceItem;

std::string FileFor(const std::string& name) {
  return ::testing::TempDir() + "/" + name + "." + std::to_string(getpid()) + ".trace";
}

// The trace of body, which runs as a goroutine.
template <class F>
DecodedTrace TraceOf(const std::string& name, F body) {
  const std::string path = FileFor(name);
  InGort([&] {
    EXPECT_TRUE(trace::Start(path).ok());
    body();
    EXPECT_TRUE(trace::Stop().ok());
  });
  DecodedTrace t = DecodeTraceFile(path);
  unlink(path.c_str());
  return t;
}

GoOptions Name(const char* name) {
  GoOptions options;
  options.name = name;
  return options;
}

// What happened on P0, a line each, of goroutines with names: who they are stands for their numbers.
// `me` is the goroutine that traces.
std::vector<std::string> Story(const DecodedTrace& t, uint64_t me) {
  std::map<uint64_t, std::string> who{{me, "main"}};
  for (const TraceItem& i : t.items) {
    if (i.type == TraceItem::kBegin && i.name.size() == 1) who[i.goid()] = i.name;
  }
  std::vector<std::string> lines;
  std::string current;
  for (const TraceItem& i : t.On("P0")) {
    if (i.type == TraceItem::kEnd && !current.empty()) {
      lines.push_back(current + (i.note("why").empty() ? " returns" : ": " + i.note("why")));
      if (!i.note("why").empty()) current.clear();
      continue;
    }
    if (i.type == TraceItem::kBegin && i.goid() == 0) {
      if (!current.empty()) lines.push_back(current + " begins " + i.name);
      continue;
    }
    const auto it = who.find(i.goid());
    if (it == who.end()) continue;
    if (i.type == TraceItem::kBegin) {
      current = it->second;
      lines.push_back(current + " runs");
    } else if (i.name == "go" || i.name == "wake") {
      lines.push_back(i.name + " " + it->second + (i.name == "wake" ? " by " + i.note("by") : ""));
    }
  }
  return lines;
}

// One of some sixty decisions of a P is not runnext's. It is not one of the next.
void NobodyHasATurnSoon() { rt::Getg()->m->p.load()->globtick = 0; }

TEST(TraceTest, TellsEachStepOfAScriptOnOneP) {
  Procs one(1);
  uint64_t me = 0;
  const DecodedTrace t = TraceOf("script", [&] {
    me = Goid();
    const Chan<int> in = MakeChan<int>();
    const Chan<int> out = MakeChan<int>();
    NobodyHasATurnSoon();
    Go(Name("A"), [=] {
      const int v = *in.Recv();  // waits for main
      Gosched();                 // main goes on, and waits for A
      out.Send(v + 1);
    });
    Gosched();   // A waits
    in.Send(1);  // A could go on
    Gosched();   // it does
    EXPECT_EQ(*out.Recv(), 2);
    Mutex mu;
    mu.Lock();
    Go(Name("B"), [&] {
      mu.Lock();
      mu.Unlock();
    });
    Gosched();
    mu.Unlock();
    Blocking([] {});
    Gosched();
  });
  ASSERT_EQ(Inconsistency(t), "");
  EXPECT_EQ(Story(t, me), (std::vector<std::string>{
                              "main runs",
                              "go A",
                              "main: gives way",
                              "A runs",
                              "A: chan receive",
                              "main runs",
                              "wake A by goroutine",
                              "main: gives way",
                              "A runs",
                              "A: gives way",
                              "main runs",
                              "main: chan receive",
                              "A runs",
                              "wake main by goroutine",
                              "A: ends",
                              "main runs",
                              "go B",
                              "main: gives way",
                              "B runs",
                              "B: sync.Mutex.Lock",
                              "main runs",
                              "wake B by goroutine",
                              "main begins system call",
                              "main returns",
                              "main: gives way",
                              "B runs",
                              "B: ends",
                              "main runs",
                              "main: the trace ends",
                          }));
}

TEST(TraceTest, CreationsAndEndsAreAsManyAsThereWere) {
  constexpr int kGoroutines = 20'000;
  Procs four(4);
  const DecodedTrace t = TraceOf("counts", [] {
    const int before = NumGoroutine();
    WaitGroup wg;
    for (int i = 0; i < kGoroutines; ++i) wg.Go([] { Gosched(); });
    wg.Wait();
    // The last one to be done may not have ended.
    EXPECT_TRUE(Eventually([before] { return NumGoroutine() <= before; }));
  });
  ASSERT_EQ(Inconsistency(t), "");
  EXPECT_TRUE(t.Named("lost events").empty());
  std::set<uint64_t> made, ran;
  for (const TraceItem& i : t.Named("go")) made.insert(i.goid());
  int64_t ends = 0;
  for (const TraceItem& i : t.items) {
    if (i.type == TraceItem::kEnd && i.note("why") == "ends") ++ends;
    if (i.type == TraceItem::kBegin && made.count(i.goid()) != 0) ran.insert(i.goid());
  }
  EXPECT_GE(made.size(), size_t{kGoroutines});
  EXPECT_GE(ends, kGoroutines);
  EXPECT_EQ(ran, made);
}

TEST(TraceTest, AnArrowLeadsFromWhoWokeToTheTurnThatFollows) {
  Procs two(2);
  const DecodedTrace t = TraceOf("arrows", [] {
    const Chan<int> c = MakeChan<int>();
    WaitGroup wg;
    wg.Go([c] {
      while (c.Recv()) {
      }
    });
    for (int i = 0; i < 1000; ++i) c.Send(i);
    c.Close();
    wg.Wait();
  });
  ASSERT_EQ(Inconsistency(t), "");
  std::map<uint64_t, const TraceItem*> began;
  int64_t arrows = 0;
  for (const TraceItem& i : t.items) {
    for (const uint64_t f : i.flows) began[f] = &i;
    for (const uint64_t f : i.last_flows) {
      ++arrows;
      ASSERT_EQ(began[f]->goid(), i.goid());
      ASSERT_LE(began[f]->ns, i.ns);
    }
  }
  EXPECT_GT(arrows, 500);
}

TEST(TraceTest, ASleepersWakingIsTheTimers) {
  const DecodedTrace t = TraceOf("sleep", [] { Sleep(absl::Milliseconds(2)); });
  ASSERT_EQ(Inconsistency(t), "");
  bool slept = false, woken = false;
  for (const TraceItem& i : t.items) {
    slept |= i.note("why") == "sleep";
    woken |= i.name == "wake" && i.note("by") == "timer";
  }
  EXPECT_TRUE(slept);
  EXPECT_TRUE(woken);
}

TEST(TraceTest, RegionsLogsAndTasksStandOnTracksOfTheirOwn) {
  uint64_t me = 0;
  const std::string long_text(1000, 'x');
  const DecodedTrace t = TraceOf("said", [&] {
    me = Goid();
    trace::Task request("request");
    trace::Task part("part", &request);
    trace::Region outer("outer");
    {
      trace::Region inner("inner");
      trace::Log("half way");
      Gosched();
    }
    trace::Log(long_text);
  });
  ASSERT_EQ(Inconsistency(t), "");
  std::vector<std::string> said;
  for (const TraceItem& i : t.On("goroutine " + std::to_string(me))) said.push_back(i.name);
  EXPECT_EQ(said, (std::vector<std::string>{"outer", "inner", "half way", "",
                                            long_text.substr(0, 248), ""}));
  EXPECT_EQ(t.On("request").size(), 2u);
  EXPECT_EQ(t.On("part").size(), 2u);
}

TEST(TraceTest, ARegionThatBeganBeforeTheTraceIsNoPartOfIt) {
  const std::string path = FileFor("before");
  InGort([&] {
    {
      trace::Region early("early");
      ASSERT_TRUE(trace::Start(path).ok());
    }
    trace::Region late("late");
    ASSERT_TRUE(trace::Stop().ok());
  });
  const DecodedTrace t = DecodeTraceFile(path);
  EXPECT_TRUE(t.Named("early").empty());
  EXPECT_EQ(t.Named("late").size(), 1u);
  unlink(path.c_str());
}

TEST(TraceTest, WhatIsOpenAtTheEndIsEndedThere) {
  const std::string path = FileFor("open");
  InGort([&] {
    ASSERT_TRUE(trace::Start(path).ok());
    trace::Task task("unfinished");
    trace::Region outer("outer");
    trace::Region inner("inner");
    ASSERT_TRUE(trace::Stop().ok());
  });
  const DecodedTrace t = DecodeTraceFile(path);
  EXPECT_EQ(Inconsistency(t), "");
  EXPECT_EQ(t.On("unfinished").size(), 2u);
  unlink(path.c_str());
}

TEST(TraceTest, OneRecordingAtATime) {
  const std::string path = FileFor("one");
  InGort([&] {
    EXPECT_EQ(trace::Stop().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_FALSE(trace::Recording());
    ASSERT_TRUE(trace::Start(path).ok());
    EXPECT_TRUE(trace::Recording());
    EXPECT_EQ(trace::Start(path).code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_TRUE(trace::Stop().ok());
    EXPECT_FALSE(trace::Recording());
    EXPECT_EQ(trace::Stop().code(), absl::StatusCode::kFailedPrecondition);
  });
  EXPECT_EQ(Inconsistency(DecodeTraceFile(path)), "");
  unlink(path.c_str());
}

TEST(TraceTest, AFileThatCannotBeMadeIsNamed) {
  InGort([] {
    const absl::Status s = trace::Start("/nowhere/at/all.trace");
    EXPECT_EQ(s.code(), absl::StatusCode::kNotFound);
    EXPECT_NE(s.ToString().find("/nowhere/at/all.trace"), std::string::npos) << s;
    EXPECT_FALSE(trace::Recording());
  });
}

TEST(TraceTest, StopTellsOfAFullDisk) {
  InGort([] {
    ASSERT_TRUE(trace::Start("/dev/full").ok());
    EXPECT_EQ(trace::Stop().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(trace::Stop().code(), absl::StatusCode::kFailedPrecondition);
  });
}

TEST(TraceTest, StopTellsOfAPipeThatNobodyReads) {
  const std::string path = FileFor("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  InGort([&] {
    ASSERT_TRUE(trace::Start(path).ok());
    close(reader);
    const absl::Status s = trace::Stop();
    EXPECT_NE(s.ToString().find("the file is not complete"), std::string::npos) << s;
  });
  unlink(path.c_str());
}

TEST(TraceTest, AForeignThreadMayStartStopAndLog) {
  const std::string path = FileFor("foreign");
  InGort([] {});
  std::thread([&] {
    ASSERT_TRUE(trace::Start(path).ok());
    trace::Log("from outside");
    InGort([] { Gosched(); });
    ASSERT_TRUE(trace::Stop().ok());
  }).join();
  const DecodedTrace t = DecodeTraceFile(path);
  EXPECT_EQ(Inconsistency(t), "");
  EXPECT_EQ(t.Named("from outside").size(), 1u);
  unlink(path.c_str());
}

TEST(TraceTest, EachForeignThreadHasATrackOfItsOwn) {
  const std::string path = FileFor("threads");
  InGort([] {});
  ASSERT_TRUE(trace::Start(path).ok());
  std::atomic<int> inside{0};
  const auto say = [&] {
    trace::Region region("outside");
    ++inside;
    while (inside < 2) std::this_thread::yield();
  };
  std::thread one(say), two(say);
  one.join();
  two.join();
  ASSERT_TRUE(trace::Stop().ok());
  const DecodedTrace t = DecodeTraceFile(path);
  unlink(path.c_str());
  ASSERT_EQ(Inconsistency(t), "");
  const std::vector<TraceItem> said = t.Named("outside");
  ASSERT_EQ(said.size(), 2u);
  EXPECT_NE(said[0].track, said[1].track);
  EXPECT_EQ(said[0].track.substr(0, 7), "thread ");
}

TEST(TraceTest, ARecorderKnowsTheNamesOfWhomItSawNeitherComeNorLive) {
  Procs one(1);
  const std::string path = FileFor("forgotten");
  InGort([&] {
    trace::FlightRecorder::Options options;
    options.bytes = 1;  // four chunks: some 32,000 events
    trace::FlightRecorder recorder(options);
    ASSERT_TRUE(recorder.Start().ok());
    const Chan<int> end = MakeChan<int>();
    WaitGroup wg;
    wg.Add(2);
    Go(Name("the old one"), [&] {
      end.Recv();
      wg.Done();
    });
    Go([&] {
      end.Recv();
      wg.Done();
    });
    for (int i = 0; i < 200'000; ++i) Gosched();
    end.Close();
    wg.Wait();
    Gosched();
    ASSERT_TRUE(recorder.WriteTo(path).ok());
  });
  const DecodedTrace t = DecodeTraceFile(path);
  unlink(path.c_str());
  ASSERT_EQ(Inconsistency(t), "");
  EXPECT_EQ(t.Named("the old one").size(), 1u);
  for (const TraceItem& i : t.items) {
    if (i.type == TraceItem::kBegin) {
      EXPECT_NE(i.name, "goroutine");
    }
  }
}

TEST(TraceTest, CountsAreThoseOfTheMetrics) {
  constexpr int kParked = 7;
  Procs four(4);
  std::vector<metrics::Sample> before, after;
  const DecodedTrace t = TraceOf("metrics", [&] {
    const Chan<int> never = MakeChan<int>();
    before = metrics::Read();
    trace::Log("from");
    WaitGroup wg;
    for (int i = 0; i < 8; ++i) {
      wg.Go([] {
        WaitGroup inner;
        for (int k = 0; k < 500; ++k) inner.Go([] { Gosched(); });
        inner.Wait();
      });
    }
    wg.Wait();
    for (const int n : {1, 3, 4}) GOMAXPROCS(n);
    for (int i = 0; i < kParked; ++i) Go([never] { never.Recv(); });
    EXPECT_TRUE(Eventually([&] {
      return metrics::Value(metrics::Read(), "gort_goroutines_waiting", "chan receive") == kParked;
    }));
    trace::Log("to");
    after = metrics::Read();
    never.Close();
  });
  ASSERT_EQ(Inconsistency(t), "");
  const auto grew = [&](const char* name) {
    return static_cast<int64_t>(metrics::Value(after, name) - metrics::Value(before, name));
  };
  const uint64_t from = t.Named("from")[0].ns, to = t.Named("to")[0].ns;
  std::map<std::string, int64_t> count;
  std::map<std::string, uint64_t> turn;      // by track
  std::map<uint64_t, std::string> last_why;  // by goroutine
  for (const TraceItem& i : t.items) {
    if (i.ns < from || i.ns > to) continue;
    ++count[i.name];
    if (i.type == TraceItem::kBegin && i.goid() != 0) turn[i.track] = i.goid();
    if (!i.note("why").empty()) last_why[turn[i.track]] = i.note("why");
  }
  EXPECT_EQ(count["stop the world"], 3);
  EXPECT_EQ(count["stop the world"], grew("gort_world_stops_total"));
  EXPECT_EQ(count["steal"], grew("gort_steals_total"));
  const auto parked = std::count_if(last_why.begin(), last_why.end(),
                                    [](const auto& g) { return g.second == "chan receive"; });
  EXPECT_EQ(parked, kParked);
  EXPECT_GE(count["go"], 8 * 501 + kParked);
}

TEST(TraceTest, ALongRecordingIsPutAsideAndComesBackWhole) {
  constexpr int kTurns = 200'000;
  Procs one(1);
  const std::string path = FileFor("long");
  rt::session_bytes = 1 << 20;  // 130,000 events
  InGort([&] {
    ASSERT_TRUE(trace::Start(path).ok());
    for (int i = 0; i < kTurns; ++i) {
      Gosched();
      if (i % 10'000 == 0) Sleep(absl::Milliseconds(testing::Slow() ? 200 : 50));
    }
    ASSERT_TRUE(trace::Stop().ok());
  });
  rt::session_bytes = rt::kSessionBytes;
  const DecodedTrace t = DecodeTraceFile(path);
  unlink(path.c_str());
  ASSERT_EQ(Inconsistency(t), "");
  EXPECT_TRUE(t.Named("lost events").empty());
  int64_t turns = 0;
  for (const TraceItem& i : t.items) turns += i.note("why") == "gives way";
  EXPECT_GE(turns, kTurns);
}

TEST(TraceTest, ATraceSurvivesChangesOfTheNumberOfPs) {
  Procs four(4);
  const DecodedTrace t = TraceOf("procs", [] {
    WaitGroup wg;
    std::atomic<bool> stop{false};
    for (int i = 0; i < 6; ++i) {
      wg.Go([&] {
        while (!stop) Gosched();
      });
    }
    for (const int n : {1, 3, 2, 8, 1, 4}) {
      GOMAXPROCS(n);
      for (int i = 0; i < 20; ++i) Gosched();
    }
    stop = true;
    wg.Wait();
  });
  ASSERT_EQ(Inconsistency(t), "");
  EXPECT_GE(t.Named("GOMAXPROCS").size(), 7u);
  EXPECT_EQ(t.Named("stop the world").size(), 6u);
}

int64_t TracksOfPs(const DecodedTrace& t) {
  return std::count_if(t.tracks.begin(), t.tracks.end(), [](const auto& track) {
    return track.second.size() == 2 && track.second[0] == 'P';
  });
}

TEST(TraceTest, ARecorderOfLittleMemoryKeepsTheLastOfEachP) {
  Procs eight(8);
  const std::string path = FileFor("little");
  InGort([&] {
    trace::FlightRecorder::Options options;
    options.bytes = 1;  // four chunks, fewer than streams
    trace::FlightRecorder recorder(options);
    ASSERT_TRUE(recorder.Start().ok());
    // Each keeps a P busy; this one has the eighth.
    std::atomic<bool> stop{false};
    WaitGroup wg;
    for (int i = 0; i < 7; ++i) {
      wg.Go([&stop] {
        while (!stop) asm volatile("" ::: "memory");
      });
    }
    EXPECT_TRUE(Eventually(
        [&] { return recorder.WriteTo(path).ok() && TracksOfPs(DecodeTraceFile(path)) >= 5; }));
    stop = true;
    wg.Wait();
    for (int i = 0; i < 50'000; ++i) Gosched();
    trace::Log("the last thing");
    ASSERT_TRUE(recorder.WriteTo(path).ok());
  });
  const DecodedTrace t = DecodeTraceFile(path);
  EXPECT_EQ(Inconsistency(t), "");
  EXPECT_EQ(t.Named("the last thing").size(), 1u);
  EXPECT_TRUE(t.Named("lost events").empty());
  unlink(path.c_str());
}

}  // namespace
}  // namespace gort
