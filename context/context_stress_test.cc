// Contexts made, dropped, cancelled and asked by many at once. GORT_TEST_SEED=n runs one seed.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gort/base/rand.h"
#include "gort/chan/chan.h"
#include "gort/context/context.h"
#include "gort/tests/support/goroutines.h"
#include "gort/tests/support/process.h"

namespace gort {
namespace {

using ::gort::testing::AttachedThread;
using ::gort::testing::InGort;
using ::gort::testing::Procs;

const int kScale = gort::testing::Slow() ? 20 : 1;

struct Node {
  Context ctx;
  CancelFunc cancel;
  int parent;  // index; -1: none
};

// True when ctx shows every sign of being cancelled.
bool Cancelled(const Context& ctx) {
  return !ctx.Err().ok() && ctx.Done().TryRecv(nullptr) == RecvState::kClosed;
}

// A random tree; several goroutines cancel random nodes at once, and each, right after its call
// returned, finds everything below that node cancelled.
void RandomTree(uint64_t seed, int workers) {
  rt::FastRand rand(seed);
  const int size = 2 + static_cast<int>(rand.N(40));
  std::vector<Node> nodes;
  for (int i = 0; i < size; ++i) {
    const int parent = i == 0 ? -1 : static_cast<int>(rand.N(static_cast<uint32_t>(i)));
    const Context up = parent < 0 ? Background() : nodes[parent].ctx;
    auto [ctx, cancel] =
        rand.N(4) == 0 ? WithTimeout(up, absl::Microseconds(rand.N(300))) : WithCancel(up);
    nodes.push_back({ctx, cancel, parent});
  }
  auto below = [&](int i, int top) {
    while (i > top) i = nodes[i].parent;
    return i == top;
  };
  std::atomic<int> wrong{0};
  Chan<Unit> done = MakeChan<Unit>();
  for (int w = 0; w < workers; ++w) {
    Go([&, seed = rand.Next64()] {
      rt::FastRand mine(seed);
      for (int k = 0; k < 6; ++k) {
        const int top = static_cast<int>(mine.N(static_cast<uint32_t>(size)));
        nodes[top].cancel();
        for (int i = top; i < size; ++i) {
          if (below(i, top) && !Cancelled(nodes[i].ctx)) ++wrong;
        }
        // An error and an open channel are never seen together.
        const Context& any = nodes[mine.N(static_cast<uint32_t>(size))].ctx;
        if (!any.Err().ok() && !Cancelled(any)) ++wrong;
      }
      done.Send({});
    });
  }
  for (int w = 0; w < workers; ++w) done.Recv();
  // Not SCOPED_TRACE, which belongs to a thread: the goroutine changes threads.
  EXPECT_EQ(wrong, 0) << "GORT_TEST_SEED=" << seed;
  nodes[0].cancel();
  for (const Node& n : nodes) EXPECT_TRUE(Cancelled(n.ctx)) << "GORT_TEST_SEED=" << seed;
}

void RandomTrees(int procs) {
  InGort([=] {
    Procs p(procs);
    if (const char* seed = getenv("GORT_TEST_SEED")) {
      return RandomTree(strtoull(seed, nullptr, 10), 4);
    }
    for (uint64_t seed = 1; seed <= 3000 / kScale && !::testing::Test::HasFailure(); ++seed) {
      RandomTree(seed, 4);
    }
  });
}

TEST(ContextStressTest, RandomTreesOnOneP) { RandomTrees(1); }
TEST(ContextStressTest, RandomTreesOnFourPs) { RandomTrees(4); }

// Children come and go below a context that is being cancelled: each sees it in the end.
TEST(ContextStressTest, ChildrenAgainstCancel) {
  InGort([] {
    Procs p(4);
    for (int round = 0; round < 2000 / kScale; ++round) {
      auto [root, cancel] = WithCancel(Background());
      Chan<Unit> done = MakeChan<Unit>();
      std::atomic<int> wrong{0};
      for (int w = 0; w < 4; ++w) {
        Go([&, w, root = root, cancel = cancel] {
          rt::FastRand rand(static_cast<uint64_t>(round * 4 + w));
          std::vector<Context> kept;
          uint32_t until = rand.N(200);
          while (root.Err().ok()) {
            if (until-- == 0) cancel();
            auto [c, cancel_c] = WithCancel(root);
            switch (rand.N(4)) {
              case 0:
                kept.push_back(WithCancel(c).first);
                break;
              case 1:
                cancel_c();
                if (!Cancelled(c)) ++wrong;
                break;
              default:
                break;  // dropped
            }
          }
          for (const Context& c : kept) {
            c.Done().Recv();
            if (!Cancelled(c)) ++wrong;
          }
          done.Send({});
        });
      }
      for (int w = 0; w < 4; ++w) done.Recv();
      EXPECT_EQ(wrong, 0) << "round " << round;
    }
  });
}

// An AfterFunc either runs, once, or its StopFunc says true.
TEST(ContextStressTest, AfterFuncAgainstStop) {
  InGort([] {
    Procs p(4);
    std::atomic<int64_t> ran{0};
    int64_t stopped = 0;
    const int kRounds = 20'000 / kScale;
    Chan<CancelFunc> cancels = MakeChan<CancelFunc>(1);
    Go([cancels] {
      for (CancelFunc cancel : cancels) cancel();
    });
    for (int i = 0; i < kRounds; ++i) {
      auto [ctx, cancel] = WithCancel(Background());
      StopFunc stop = AfterFunc(ctx, [&] { ++ran; });
      cancels.Send(cancel);
      if (i % 2 == 0) testing::Yield();
      if (stop()) ++stopped;
    }
    cancels.Close();
    EXPECT_TRUE(testing::Eventually([&] { return ran + stopped == kRounds; }))
        << ran << " + " << stopped;
  });
}

// Deadlines that run out while the context is being cancelled and dropped.
TEST(ContextStressTest, TimerAgainstCancel) {
  InGort([] {
    Procs p(4);
    Chan<Unit> done = MakeChan<Unit>();
    for (int w = 0; w < 4; ++w) {
      Go([&, w] {
        rt::FastRand rand(static_cast<uint64_t>(w) + 1);
        for (int i = 0; i < 10'000 / kScale; ++i) {
          auto [ctx, cancel] = WithTimeout(Background(), absl::Nanoseconds(rand.N(20'000)));
          for (uint32_t k = rand.N(4); k > 0; --k) testing::Yield();
          cancel();
          const absl::StatusCode code = ctx.Err().code();
          if (code != absl::StatusCode::kCancelled && code != absl::StatusCode::kDeadlineExceeded) {
            ADD_FAILURE() << ctx.Err();
          }
        }
        done.Send({});
      });
    }
    for (int w = 0; w < 4; ++w) done.Recv();
  });
}

// Goroutines and foreign threads in one tree.
TEST(ContextStressTest, ThreadsAndGoroutines) {
  for (int round = 0; round < 200 / kScale; ++round) {
    auto [root, cancel] = WithCancel(Background());
    std::atomic<int> seen{0};
    auto work = [&, root = root] {
      for (int i = 0; i < 20; ++i) {
        auto [c, cancel_c] = WithTimeout(root, absl::Hours(1));
        if (i % 2 == 0) cancel_c();
        if (i == 19) {
          c.Done().Recv();
          ++seen;
        }
      }
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) threads.push_back(AttachedThread(work));
    InGort([&, cancel = cancel] {
      for (int i = 0; i < 2; ++i) Go(work);
      testing::Yield();
      cancel();
      EXPECT_TRUE(testing::Eventually([&] { return seen == 4; })) << "round " << round;
    });
    for (std::thread& t : threads) t.join();
  }
}

}  // namespace
}  // namespace gort
