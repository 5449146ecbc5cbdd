// Channels from threads that the runtime did not create: each blocking call blocks its thread.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::AttachedThread;
using ::gort::testing::InGort;

constexpr int kOps = GORT_TEST_SANITIZED ? 1'000 : 20'000;

int64_t Sum(int n) { return int64_t{n} * (n + 1) / 2; }

TEST(ChanForeignTest, BetweenTwoThreads) {
  for (size_t cap : {0, 1, 8}) {
    Chan<int> ch = MakeChan<int>(cap);
    std::thread producer([=] {
      for (int i = 1; i <= kOps; ++i) ch.Send(i);
      ch.Close();
    });
    int64_t sum = 0;
    for (int v : ch) sum += v;
    producer.join();
    EXPECT_EQ(sum, Sum(kOps));
  }
}

TEST(ChanForeignTest, ThreadsAndGoroutines) {
  Chan<int> ch = MakeChan<int>();
  Chan<int64_t> sums = MakeChan<int64_t>(4);
  std::vector<std::thread> threads;
  auto produce = [=] {
    for (int i = 1; i <= kOps; ++i) ch.Send(i);
    sums.Send(0);
  };
  auto consume = [=] {
    int64_t sum = 0;
    for (int v : ch) sum += v;
    sums.Send(sum);
  };
  InGort([&] {
    threads.push_back(AttachedThread(produce));
    threads.push_back(AttachedThread(consume));
    Go(produce);
    Go(consume);
    sums.Recv();
    sums.Recv();
    ch.Close();
    EXPECT_EQ(*sums.Recv() + *sums.Recv(), 2 * Sum(kOps));
  });
  for (std::thread& t : threads) t.join();
}

TEST(ChanForeignTest, Select) {
  Chan<int> a = MakeChan<int>();
  Chan<int> b = MakeChan<int>();
  Chan<Unit> quit = MakeChan<Unit>();
  std::atomic<int64_t> sent{0};
  std::atomic<int64_t> got{0};
  auto work = [&, a, b, quit] {
    bool stop = false;
    for (int i = 1; !stop; ++i) {
      Select(OnSend(a, i, [&] { sent += i; }), OnSend(b, i, [&] { sent += i; }),
             OnRecv(a, [&](std::optional<int> v) { got += *v; }),
             OnRecv(b, [&](std::optional<int> v) { got += *v; }),
             OnRecv(quit, [&](auto) { stop = true; }));
    }
  };
  std::thread t1 = AttachedThread(work), t2 = AttachedThread(work);
  InGort([&] {
    Chan<Unit> done = MakeChan<Unit>();
    for (int i = 0; i < 2; ++i) {
      Go([&, done] {
        work();
        done.Send({});
      });
    }
    for (int i = 0; i < kOps; ++i) {
      Select(OnSend(a, 1, [&] { ++sent; }), OnRecv(b, [&](std::optional<int> v) { got += *v; }));
    }
    quit.Close();
    done.Recv();
    done.Recv();
  });
  t1.join();
  t2.join();
  EXPECT_EQ(sent, got);
}

TEST(ChanForeignTest, CloseWakesThreads) {
  Chan<int> ch = MakeChan<int>();
  std::atomic<int> ends{0}, panics{0};
  std::vector<std::thread> threads;
  Chan<int> full = MakeChan<int>();
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { ends += !ch.Recv().has_value(); });
    threads.emplace_back([&] {
      try {
        full.Send(1);
      } catch (const Panic&) {
        ++panics;
      }
    });
  }
  InGort([&] {
    ch.Close();
    full.Close();
  });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(ends, 4);
  EXPECT_EQ(panics, 4);
}

TEST(ChanForeignTest, HandlesOutliveTheirThread) {
  Chan<std::vector<int>> ch;
  std::thread([&] {
    ch = MakeChan<std::vector<int>>(2);
    ch.Send({1, 2, 3});
  }).join();
  EXPECT_EQ(ch.Recv()->size(), 3u);
}

}  // namespace
}  // namespace gort
