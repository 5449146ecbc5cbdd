// Many goroutines on few channels: nothing lost, nothing twice, nobody stuck.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "gort/base/rand.h"
#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

using ::gort::testing::InGort;
using ::gort::testing::Procs;
using ::gort::testing::Yield;

constexpr int kOps = GORT_TEST_SANITIZED ? 5'000 : 100'000;

void WaitFor(const Chan<Unit>& done, int n) {
  for (int i = 0; i < n; ++i) done.Recv();
}

// 10 goroutines and 4 channels: each goroutine sends to any and receives from any of them in one
// select, kOps times. Sums of what was sent and received agree.
void SelectStress(size_t capacity, int procs) {
  InGort([=] {
    Procs p(procs);
    std::vector<Chan<int64_t>> c;
    for (int i = 0; i < 4; ++i) c.push_back(MakeChan<int64_t>(capacity));
    Chan<Unit> done = MakeChan<Unit>();
    std::atomic<int64_t> sent{0}, received{0}, count{0};
    for (int id = 0; id < 10; ++id) {
      Go([&, id] {
        rt::FastRand rand(static_cast<uint64_t>(id) + 1);
        int64_t in = 0, out = 0, n = 0;
        auto take = [&](std::optional<int64_t> v) {
          in += *v;
          --n;
        };
        for (int op = 0; op < kOps; ++op) {
          int64_t v = id * int64_t{kOps} + op;
          auto put = [&] {
            out += v;
            ++n;
          };
          uint32_t i = rand.N(4), j = rand.N(4);
          Select(OnSend(c[i], v, put), OnRecv(c[j], take), OnSend(c[(i + 1) % 4], v, put),
                 OnRecv(c[(j + 2) % 4], take));
        }
        sent += out;
        received += in;
        count += n;
        done.Send({});
      });
    }
    // Somebody may be left without a partner, so this goroutine is one for all.
    for (int finished = 0; finished < 10;) {
      auto take = [&](std::optional<int64_t> v) {
        received += *v;
        --count;
      };
      auto put = [&] { ++count; };
      if (Select(OnRecv(done), OnRecv(c[0], take), OnRecv(c[1], take), OnRecv(c[2], take),
                 OnRecv(c[3], take), OnSend(c[0], 0, put), OnSend(c[1], 0, put),
                 OnSend(c[2], 0, put), OnSend(c[3], 0, put)) == 0) {
        ++finished;
      }
    }
    int64_t rest = 0, left = 0;
    for (auto& ch : c) {
      ch.Close();
      for (int64_t v : ch) {
        rest += v;
        ++left;
      }
    }
    EXPECT_EQ(sent, received + rest);
    EXPECT_EQ(count, left);
  });
}

TEST(ChanStressTest, SelectUnbuffered) { SelectStress(0, 4); }
TEST(ChanStressTest, SelectBuffered) { SelectStress(2, 4); }
TEST(ChanStressTest, SelectOnOneP) { SelectStress(1, 1); }

// Producers and consumers; every element arrives once, elements of one producer in order.
void Pipe(size_t capacity) {
  InGort([=] {
    Procs p(4);
    constexpr int kProducers = 5, kConsumers = 5;
    struct Item {
      int producer;
      int seq;
    };
    Chan<Item> ch = MakeChan<Item>(capacity);
    Chan<Unit> produced = MakeChan<Unit>();
    Chan<Unit> consumed = MakeChan<Unit>();
    auto seen = std::make_unique<std::atomic<int>[]>(size_t{kProducers} * kOps);
    for (int i = 0; i < kProducers; ++i) {
      Go([=] {
        for (int n = 0; n < kOps; ++n) ch.Send({i, n});
        produced.Send({});
      });
    }
    std::atomic<int> disorder{0};
    for (int i = 0; i < kConsumers; ++i) {
      Go([&, ch, consumed] {
        int last[kProducers];
        for (int& l : last) l = -1;
        for (Item it : ch) {
          if (it.seq <= last[it.producer]) ++disorder;
          last[it.producer] = it.seq;
          seen[static_cast<size_t>(it.producer) * kOps + it.seq].fetch_add(
              1, std::memory_order_relaxed);
        }
        consumed.Send({});
      });
    }
    WaitFor(produced, kProducers);
    ch.Close();
    WaitFor(consumed, kConsumers);
    EXPECT_EQ(disorder, 0);
    for (int i = 0; i < kProducers * kOps; ++i) ASSERT_EQ(seen[i], 1) << i;
  });
}

TEST(ChanStressTest, PipeUnbuffered) { Pipe(0); }
TEST(ChanStressTest, PipeBuffered) { Pipe(10); }

// Non-blocking operations against blocking ones, close at the end.
TEST(ChanStressTest, TryAgainstBlocking) {
  InGort([] {
    Procs p(4);
    Chan<int> ch = MakeChan<int>(3);
    Chan<Unit> done = MakeChan<Unit>();
    std::atomic<int64_t> sum{0};
    for (int i = 0; i < 2; ++i) {
      Go([=] {
        for (int n = 1; n <= kOps; ++n) {
          while (!ch.TrySend(n)) Yield();
        }
        done.Send({});
      });
      Go([=] {
        for (int n = 1; n <= kOps; ++n) ch.Send(n);
        done.Send({});
      });
      Go([&, ch, done] {
        int64_t mine = 0;
        int v;
        while (true) {
          RecvState s = ch.TryRecv(&v);
          if (s == RecvState::kClosed) break;
          if (s == RecvState::kValue) mine += v;
          if (s == RecvState::kEmpty) Yield();
        }
        sum += mine;
        done.Send({});
      });
      Go([&, ch, done] {
        int64_t mine = 0;
        for (int v : ch) mine += v;
        sum += mine;
        done.Send({});
      });
    }
    WaitFor(done, 4);
    ch.Close();
    WaitFor(done, 4);
    EXPECT_EQ(sum, int64_t{4} * kOps * (kOps + 1) / 2);
  });
}

// Close races with waiting operations: each of them ends, one way or the other.
TEST(ChanStressTest, CloseRaces) {
  InGort([] {
    Procs p(4);
    for (int round = 0; round < kOps / 50; ++round) {
      Chan<std::unique_ptr<int>> ch = MakeChan<std::unique_ptr<int>>(round % 3);
      Chan<Unit> other = MakeChan<Unit>();
      Chan<Unit> done = MakeChan<Unit>(6);
      for (int i = 0; i < 2; ++i) {
        Go([=] {
          try {
            ch.Send(std::make_unique<int>(i));
          } catch (const Panic&) {
          }
          done.Send({});
        });
        Go([=] {
          ch.Recv();
          done.Send({});
        });
        Go([=] {
          try {
            Select(OnRecv(ch), OnRecv(other), OnSend(ch, std::make_unique<int>(2)));
          } catch (const Panic&) {
          }
          done.Send({});
        });
      }
      ch.Close();
      WaitFor(done, 6);
    }
  });
}

}  // namespace
}  // namespace gort
