// Goroutines that hand each other the CPU do not starve what waits in the global queue.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "gort/chan/chan.h"
#include "gort/runtime.h"
#include "gort/sync/sync.h"

namespace fairness {
namespace {

constexpr int kArrivals = 400;
// Every 61st decision is the global queue's or the ring's in turn, and a round of the programs below
// takes at least two. An arrival may go from the one to the other with what an M whose own queue is
// empty takes along, and so wait for one more turn.
constexpr int64_t kMostRounds = 3 * 61;

// A coordinator and its workers at GOMAXPROCS=1. Each round is a few hand-overs; how many depends
// on the number of workers, and so does the phase in which the coordinator parks.
class Program {
 public:
  explicit Program(int workers) {
    for (int w = 0; w < workers; ++w) {
      gort::Chan<int> ask = gort::MakeChan<int>();
      gort::Chan<int> answer = gort::MakeChan<int>();
      asks_.push_back(ask);
      answers_.push_back(answer);
      group_.Go([ask, answer]() mutable {
        for (int i : ask) answer.Send(i);
      });
    }
    group_.Go([this] { Coordinate(); });
  }
  void Stop() {
    stop_.store(true);
    group_.Wait();
  }
  int64_t rounds() const { return rounds_.load(); }

 private:
  void Coordinate() {
    while (!stop_.load()) {
      for (auto& ask : asks_) ask.Send(1);
      for (auto& answer : answers_) answer.Recv();
      rounds_.fetch_add(1);
    }
    for (auto& ask : asks_) ask.Close();
  }

  std::vector<gort::Chan<int>> asks_;
  std::vector<gort::Chan<int>> answers_;
  gort::WaitGroup group_;
  std::atomic<bool> stop_{false};
  std::atomic<int64_t> rounds_{0};
};

// How many goroutines made by this thread, which has no P, waited for more than kMostRounds; -1: one
// never ran.
int LateOnes(const Program& program) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point deadline = Clock::now() + std::chrono::seconds(100);
  int late = 0;
  for (int i = 0; i < kArrivals; ++i) {
    std::atomic<int64_t> ran_at{-1};
    gort::Go([&] { ran_at.store(program.rounds()); });
    const int64_t queued_at = program.rounds();
    while (ran_at.load() < 0) {
      if (Clock::now() > deadline) return -1;
      std::this_thread::yield();
    }
    if (ran_at.load() - queued_at > kMostRounds) ++late;
  }
  return late;
}

class GlobalQueue : public ::testing::TestWithParam<int> {};

TEST_P(GlobalQueue, GoroutinesOfAThreadRunBesideOnesThatHandEachOtherTheCpu) {
  gort::Run([] {
    const int procs = gort::GOMAXPROCS(1);
    Program program(GetParam());
    int late = 0;
    gort::Chan<gort::Unit> done = gort::MakeChan<gort::Unit>(1);
    std::thread thread([&] {
      late = LateOnes(program);
      done.TrySend(gort::Unit{});
    });
    done.Recv();
    thread.join();
    EXPECT_GE(late, 0) << "a goroutine in the global queue never ran";
    EXPECT_EQ(late, 0);
    if (late < 0) _exit(1);  // the goroutine that never ran refers to this stack
    program.Stop();
    gort::GOMAXPROCS(procs);
    return 0;
  });
}

INSTANTIATE_TEST_SUITE_P(Workers, GlobalQueue, ::testing::Values(1, 2, 3, 4, 5, 8));

}  // namespace
}  // namespace fairness
