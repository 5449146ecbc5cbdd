// Traces of many goroutines on many Ps, interrupted often, begun and ended in the middle of it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "gort/chan/chan.h"
#include "gort/runtime.h"
#include "gort/sync/mutex.h"
#include "gort/sync/wait_group.h"
#include "gort/tests/support/goroutines.h"
#include "gort/tests/support/process.h"
#include "gort/timer/sleep.h"
#include "gort/trace/testing/decoded.h"
#include "gort/trace/trace.h"

namespace gort {
namespace {

using ::gort::testing::DecodedTrace;
using ::gort::testing::DecodeTraceFile;
using ::gort::testing::Inconsistency;
using ::gort::testing::InGort;
using ::gort::testing::Overlap;
using ::gort::testing::Procs;
using ::gort::testing::TraceItem;

std::string FileFor(const std::string& name) {
  return ::testing::TempDir() + "/" + name + "." + std::to_string(getpid()) + ".trace";
}

// Goroutines that do a little of everything until they are told to stop.
class Storm {
 public:
  explicit Storm(int n) {
    for (int i = 0; i < n; ++i) {
      wg_.Go([this] { Channels(); });
      wg_.Go([this] { Short(); });
      wg_.Go([this] { Compute(); });
      wg_.Go([this] { Calls(); });
    }
  }
  ~Storm() {
    stop_ = true;
    wg_.Wait();
  }

  // Until goroutines have been made so many times since the beginning.
  void Await(int rounds) const {
    while (rounds_ < rounds) Sleep(absl::Milliseconds(1));
  }

 private:
  bool Stopped() const { return stop_.load(std::memory_order_relaxed); }
  void Channels() {
    const Chan<int> c = MakeChan<int>(1);
    WaitGroup wg;
    wg.Go([c] {
      while (c.Recv()) {
      }
    });
    while (!Stopped()) c.Send(1);
    c.Close();
    wg.Wait();
  }
  void Short() {
    while (!Stopped()) {
      WaitGroup wg;
      for (int i = 0; i < 10; ++i) wg.Go([] {});
      wg.Wait();
      ++rounds_;
    }
  }
  void Compute() {
    while (!Stopped()) {
      for (int i = 0; i < 100'000; ++i) asm volatile("" ::: "memory");
      trace::Region region("locked");
      mu_.Lock();
      mu_.Unlock();
      if (GORT_TEST_SANITIZED) Gosched();  // ThreadSanitizer lets no signal interrupt
    }
  }
  void Calls() {
    while (!Stopped()) {
      Blocking([] { usleep(50); });
      Sleep(absl::Microseconds(50));
    }
  }

  std::atomic<bool> stop_{false};
  std::atomic<int> rounds_{0};
  Mutex mu_;
  WaitGroup wg_;
};

// A turn that the trace cannot explain.
bool HasUnknownEnd(const DecodedTrace& t) {
  for (const TraceItem& i : t.items) {
    if (i.type == TraceItem::kEnd && i.note("why") == "unknown") return true;
  }
  return false;
}

TEST(TraceStorm, IsConsistentWhateverHappens) {
  Procs eight(8);
  const std::string path = FileFor("storm");
  InGort([&] {
    Storm storm(8);
    storm.Await(100);
    ASSERT_TRUE(trace::Start(path).ok());
    storm.Await(200);
    Sleep(absl::Milliseconds(50));
    ASSERT_TRUE(trace::Stop().ok());
  });
  const DecodedTrace t = DecodeTraceFile(path);
  unlink(path.c_str());
  ASSERT_EQ(Inconsistency(t), "");
  if (t.Named("lost events").empty()) {
    EXPECT_EQ(Overlap(t), "");
    EXPECT_FALSE(HasUnknownEnd(t));
  }
  EXPECT_GT(t.items.size(), 1000u);
}

TEST(TraceStorm, StartAndStopAreGoodAtAnyMoment) {
  Procs two(2);
  const std::string path = FileFor("again");
  InGort([&] {
    Storm storm(1);
    for (int i = 0; i < (testing::Slow() ? 40 : 200); ++i) {
      ASSERT_TRUE(trace::Start(path).ok());
      for (int k = 0; k < i % 5; ++k) Gosched();
      ASSERT_TRUE(trace::Stop().ok());
      if (i % 10 == 0) {
        ASSERT_EQ(Inconsistency(DecodeTraceFile(path)), "") << "round " << i;
      }
    }
  });
  unlink(path.c_str());
}

// Threads that have no P, and that the kernel interrupts in the middle of an event.
TEST(TraceStorm, AThreadMayBeLateWithAnEventOfTheLastRecording) {
  Procs two(2);
  const std::string path = FileFor("late");
  InGort([] {});
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&stop] {
      while (!stop) trace::Log("from outside");
    });
  }
  InGort([&] {
    for (int i = 0; i < (testing::Slow() ? 40 : 200); ++i) {
      ASSERT_TRUE(trace::Start(path).ok());
      Gosched();
      ASSERT_TRUE(trace::Stop().ok());
    }
  });
  stop = true;
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(Inconsistency(DecodeTraceFile(path)), "");
  unlink(path.c_str());
}

TEST(TraceStorm, OneOfManyStartersWins) {
  Procs four(4);
  const std::string path = FileFor("race");
  InGort([&] {
    Storm storm(1);
    std::atomic<int> started{0}, stopped{0};
    WaitGroup wg;
    for (int g = 0; g < 8; ++g) {
      wg.Go([&] {
        for (int i = 0; i < 10; ++i) {
          if (trace::Start(path).ok()) ++started;
          Gosched();
          if (trace::Stop().ok()) ++stopped;
        }
      });
    }
    wg.Wait();
    EXPECT_EQ(started.load(), stopped.load());
    EXPECT_GT(started.load(), 0);
    EXPECT_FALSE(trace::Recording());
  });
  unlink(path.c_str());
}

TEST(TraceStorm, AFlightRecorderWritesWhileItRecords) {
  Procs four(4);
  const std::string path = FileFor("flight");
  InGort([&] {
    Storm storm(1);
    trace::FlightRecorder::Options options;
    options.bytes = 256 << 10;  // 32,000 events
    trace::FlightRecorder recorder(options);
    EXPECT_EQ(recorder.WriteTo(path).code(), absl::StatusCode::kFailedPrecondition);
    ASSERT_TRUE(recorder.Start().ok());
    EXPECT_EQ(trace::Start(path).code(), absl::StatusCode::kFailedPrecondition);
    for (int i = 0; i < 10; ++i) {
      Sleep(absl::Milliseconds(5));
      ASSERT_TRUE(recorder.WriteTo(path).ok());
      ASSERT_EQ(Inconsistency(DecodeTraceFile(path)), "");
    }
    EXPECT_EQ(recorder.WriteTo("/nowhere/x").code(), absl::StatusCode::kNotFound);
    EXPECT_TRUE(recorder.Stop().ok());
    EXPECT_EQ(recorder.Stop().code(), absl::StatusCode::kFailedPrecondition);
  });
  unlink(path.c_str());
}

}  // namespace
}  // namespace gort
