// Bubbles: their time, their end, their deadlocks; schedules from seeds.
#include "gort/testing/testing.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gort/base/attributes.h"
#include "gort/base/panic.h"
#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/context/context.h"
#include "gort/runtime.h"
#include "gort/sync/sync.h"
#include "gort/tests/support/goroutines.h"
#include "gort/timer/sleep.h"
#include "gort/timer/timer.h"

GORT_TEST_LEAVES_GOROUTINES_BEHIND

namespace gort {
namespace {

using ::gort::testing::Explore;
using ::gort::testing::InGort;
using ::gort::testing::Procs;

const absl::Time kStart = absl::FromUnixSeconds(946'684'800);

// What f threw; "" if nothing.
template <class F>
std::string Thrown(F f) {
  try {
    f();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}

// Runs f outside of all bubbles, while this goroutine waits and the bubble's clock stands still.
template <class F>
void InThread(F f) {
  std::thread t(f);
  Blocking([&] { t.join(); });
}

class Bubble : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    InGort([this] { procs_ = std::make_unique<Procs>(GetParam()); });
  }
  void TearDown() override {
    InGort([this] { procs_.reset(); });
  }

 private:
  std::unique_ptr<Procs> procs_;
};
INSTANTIATE_TEST_SUITE_P(P, Bubble, ::testing::Values(1, 4));

TEST_P(Bubble, TimeIsItsOwn) {
  const absl::Time before = Now();
  testing::Run([] {
    EXPECT_EQ(Now(), kStart);
    Sleep(absl::Hours(24) * 365);
    EXPECT_EQ(Now(), kStart + absl::Hours(24) * 365);
    Sleep(absl::Nanoseconds(1));
    EXPECT_EQ(Now(), kStart + absl::Hours(24) * 365 + absl::Nanoseconds(1));
  });
  EXPECT_LT(Now() - before, absl::Minutes(1)) << "outside it goes on as ever";
  testing::Run([] { EXPECT_EQ(Now(), kStart) << "each has a clock of its own"; });
}

TEST_P(Bubble, TimeStandsStillWhileAnybodyRuns) {
  testing::Run([] {
    std::atomic<bool> stop{false};
    Go([&] {
      while (!stop) testing::Yield();
    });
    Timer t = NewTimer(absl::Nanoseconds(1));
    for (int i = 0; i < 1000; ++i) testing::Yield();
    EXPECT_EQ(t.C().TryRecv(nullptr), RecvState::kEmpty);
    stop = true;
    EXPECT_EQ(*t.C().Recv(), kStart + absl::Nanoseconds(1));
  });
}

TEST_P(Bubble, SleepersWakeInOrderAtTheirTimes) {
  testing::Run([] {
    std::vector<int> order;
    Mutex mu;
    WaitGroup wg;
    for (int i : {5, 3, 9, 1, 7}) {
      wg.Go([&, i] {
        Sleep(absl::Minutes(i));
        EXPECT_EQ(Now(), kStart + absl::Minutes(i));
        std::lock_guard l(mu);
        order.push_back(i);
      });
    }
    wg.Wait();
    EXPECT_EQ(order, (std::vector<int>{1, 3, 5, 7, 9}));
    EXPECT_EQ(Now(), kStart + absl::Minutes(9));
  });
}

TEST_P(Bubble, TimersTickersAndContexts) {
  testing::Run([] {
    Ticker ticker = NewTicker(absl::Seconds(10));
    std::atomic<int> fired{0};
    Timer stopped = AfterFunc(absl::Seconds(25), [&] { fired += 100; });
    AfterFunc(absl::Seconds(35), [&] {
      EXPECT_EQ(Now(), kStart + absl::Seconds(35));
      ++fired;
    });
    for (int i = 1; i <= 5; ++i) {
      EXPECT_EQ(*ticker.C().Recv(), kStart + absl::Seconds(10) * i);
      if (i == 2) {
        EXPECT_TRUE(stopped.Stop());
      }
    }
    ticker.Stop();
    EXPECT_EQ(fired, 1);
    auto [ctx, cancel] = WithTimeout(Background(), absl::Hours(1));
    EXPECT_EQ(ctx.Deadline(), kStart + absl::Seconds(50) + absl::Hours(1));
    auto [late, cancel_late] = WithDeadline(Background(), Now() + absl::Hours(2));
    EXPECT_EQ(Select(OnRecv(ctx.Done()), OnRecv(late.Done()), OnRecv(ticker.C())), 0);
    EXPECT_EQ(ctx.Err().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(Now(), *ctx.Deadline());
    cancel_late();
  });
}

TEST_P(Bubble, WaitReturnsWhenAllOthersAreBlocked) {
  testing::Run([] {
    std::atomic<int> progress{0};
    for (int i = 0; i < 10; ++i) {
      Go([&] {
        for (int k = 0; k < 100; ++k) testing::Yield();
        ++progress;
        Sleep(absl::Seconds(1));
        ++progress;
      });
    }
    testing::Wait();
    EXPECT_EQ(progress, 10);
    EXPECT_EQ(Now(), kStart) << "no time passes in Wait";
    Sleep(absl::Seconds(1));
    testing::Wait();
    EXPECT_EQ(progress, 20);
  });
  EXPECT_EQ(Thrown([] { testing::Wait(); }), "gort::testing::Wait called outside of a bubble");
}

TEST_P(Bubble, DeadlocksAreReported) {
  const std::string all = "deadlock: all goroutines in bubble are blocked";
  EXPECT_EQ(Thrown([] { testing::Run([] { MakeChan<int>().Recv(); }); }), all);
  EXPECT_EQ(Thrown([] {
              testing::Run([] {
                auto one = std::make_shared<Semaphore>(1);
                one->Acquire();
                Go([one] { one->Acquire(); });
                Sleep(absl::Hours(1));
                one->Acquire();
              });
            }),
            all);
  EXPECT_EQ(Thrown([] { testing::Run([] { Go([] { Select(); }); }); }),
            "deadlock: main bubble goroutine has exited but blocked goroutines remain");
  EXPECT_EQ(Thrown([] { testing::Run([] { Go([] { Sleep(absl::Seconds(1)); }); }); }),
            "deadlock: main bubble goroutine has exited but blocked goroutines remain")
      << "time stops with f";
  EXPECT_EQ(Thrown([] { testing::Run([] { testing::Run([] {}); }); }),
            "gort::testing::Run called from within a bubble");
  testing::Run([] { Sleep(absl::Seconds(1)); });  // the next one is not disturbed
}

TEST_P(Bubble, EndsWhenAllGoroutinesHave) {
  std::atomic<int> ended{0};
  testing::Run([&] {
    for (int i = 0; i < 20; ++i) {
      Go([&] {
        for (int k = 0; k < 1000; ++k) testing::Yield();
        ++ended;
      });
    }
  });
  EXPECT_EQ(ended, 20);
}

TEST_P(Bubble, ExceptionsComeOut) {
  EXPECT_EQ(Thrown([] { testing::Run([] { throw std::runtime_error("mine"); }); }), "mine");
  EXPECT_EQ(Thrown([] {
              InGort([] {
                EXPECT_EQ(Thrown([] { testing::Run([] { throw Panic("inner"); }); }), "inner");
              });
            }),
            "");
}

TEST_P(Bubble, ExceptionsComeOutBeforeWhatItLeftBlocked) {
  EXPECT_EQ(Thrown([] {
              testing::Run([] {
                auto ch = MakeChan<int>();
                Go([ch] { ch.Recv(); });
                Go([] { Sleep(absl::Hours(1)); });
                testing::Wait();
                throw std::runtime_error("mine");
              });
            }),
            "mine");
  testing::Run([] { Sleep(absl::Seconds(1)); });  // the next one is not disturbed
}

TEST_P(Bubble, PendingTimersAreDroppedWithIt) {
  static constexpr ContextKey<std::shared_ptr<int>> kWatched;
  auto p = std::make_shared<int>();
  std::weak_ptr<int> watched = p;
  Timer outlives;
  Context late;
  CancelFunc cancel_late;
  std::atomic<int> fired{0};
  testing::Run([&, p = std::move(p)]() mutable {
    WithTimeout(WithValue(Background(), kWatched, p), absl::Hours(1));
    std::tie(late, cancel_late) = WithTimeout(Background(), absl::Hours(1));
    AfterFunc(absl::Hours(1), [&, p = std::move(p)] { ++fired; });
    outlives = AfterFunc(absl::Hours(1), [&] { ++fired; });
    NewTicker(absl::Hours(1));
  });
  EXPECT_TRUE(watched.expired());
  EXPECT_FALSE(outlives.Stop());
  EXPECT_TRUE(late.Err().ok());
  cancel_late();
  EXPECT_EQ(late.Err().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(fired, 0);
}

TEST_P(Bubble, NeverIsNeverReached) {
  const std::string all = "deadlock: all goroutines in bubble are blocked";
  const std::vector<void (*)()> waits = {
      [] { After(absl::InfiniteDuration()).Recv(); },
      [] { NewTicker(absl::InfiniteDuration()).C().Recv(); },
      [] { Sleep(absl::InfiniteDuration()); },
      [] { Sleep(std::chrono::hours::max()); },
      [] {
        AfterFunc(absl::InfiniteDuration(), [] { ADD_FAILURE() << "ran"; });
        WithTimeout(Background(), absl::InfiniteDuration()).first.Done().Recv();
      },
  };
  for (auto wait : waits) EXPECT_EQ(Thrown([&] { testing::Run(wait); }), all);
  testing::Run([] {
    RecvChan<absl::Time> never = After(absl::InfiniteDuration());
    RecvChan<absl::Time> soon = After(absl::Hours(1));
    EXPECT_EQ(Select(OnRecv(never), OnRecv(soon)), 1);
    EXPECT_EQ(Now(), kStart + absl::Hours(1));
  });
}

TEST_P(Bubble, TimerThatOutlivesItGoesByItsCallersTime) {
  Timer timer;
  Timer stopped;
  Ticker ticker;
  Timer func;
  std::atomic<int> ran{0};
  testing::Run([&] {
    timer = NewTimer(absl::Hours(1));
    stopped = NewTimer(absl::Hours(1));
    stopped.Stop();
    ticker = NewTicker(absl::Hours(1));
    func = AfterFunc(absl::Hours(1), [&] { ++ran; });
  });
  // While another bubble lives, perhaps by the same object, the timers are none of its own.
  testing::Run([&] {
    InThread([&] {
      EXPECT_FALSE(timer.Reset(absl::Milliseconds(1)));
      EXPECT_FALSE(stopped.Reset(absl::Milliseconds(1)));
      ticker.Reset(absl::Milliseconds(1));
      EXPECT_FALSE(func.Reset(absl::Milliseconds(1)));
      EXPECT_TRUE(timer.C().Recv().has_value());
      EXPECT_TRUE(stopped.C().Recv().has_value());
      EXPECT_TRUE(ticker.C().Recv().has_value());
      EXPECT_TRUE(ticker.C().Recv().has_value());
      ticker.Stop();
    });
    EXPECT_EQ(Now(), kStart);
  });
  InGort([&] { EXPECT_TRUE(testing::Eventually([&] { return ran == 1; })); });
  // In a later bubble they are that bubble's.
  testing::Run([&] {
    timer.Reset(absl::Hours(2));
    EXPECT_EQ(timer.C().Recv(), kStart + absl::Hours(2));
  });
}

// Whatever its state is outside: fresh, waiting, stopped but not forgotten.
TEST_P(Bubble, TimerFromOutsideGoesByTheBubbleOnceReset) {
  Timer waiting = NewTimer(absl::Hours(1));
  Timer stopped = NewTimer(absl::Hours(2));
  Timer behind = NewTimer(absl::Hours(3));
  Timer fired = NewTimer(absl::ZeroDuration());
  Ticker ticker = NewTicker(absl::Hours(1));
  EXPECT_TRUE(fired.C().Recv().has_value());
  stopped.Stop();
  testing::Run([&] {
    EXPECT_TRUE(waiting.Reset(absl::Hours(1)));
    EXPECT_FALSE(stopped.Reset(absl::Hours(2)));
    EXPECT_FALSE(fired.Reset(absl::Hours(3)));
    ticker.Reset(absl::Hours(4));
    EXPECT_EQ(waiting.C().Recv(), kStart + absl::Hours(1));
    EXPECT_EQ(stopped.C().Recv(), kStart + absl::Hours(2));
    EXPECT_EQ(fired.C().Recv(), kStart + absl::Hours(3));
    EXPECT_EQ(ticker.C().Recv(), kStart + absl::Hours(4));
    EXPECT_EQ(ticker.C().Recv(), kStart + absl::Hours(8));
  });
  EXPECT_TRUE(behind.Stop());
}

TEST_P(Bubble, TimerResetFromOutsideKeepsItsDelay) {
  testing::Run([] {
    Timer timer = NewTimer(absl::Hours(1));
    InThread([&] { EXPECT_TRUE(timer.Reset(absl::Hours(2))); });
    const absl::Time fired = *timer.C().Recv();
    EXPECT_LE(fired, kStart + absl::Hours(2));
    EXPECT_GT(fired, kStart + absl::Hours(1)) << "less what passed outside during the call";
  });
}

TEST_P(Bubble, ManyAtOnceEachWithItsTime) {
  InGort([] {
    WaitGroup wg;
    for (int i = 1; i <= 8; ++i) {
      wg.Go([i] {
        testing::Run([i] {
          for (int k = 0; k < 50; ++k) Sleep(absl::Seconds(i));
          EXPECT_EQ(Now(), kStart + absl::Seconds(50 * i));
        });
      });
    }
    wg.Wait();
  });
}

// A day of heartbeats, with a node that fails and the watcher that notices.
TEST_P(Bubble, ALongStoryTakesAMoment) {
  testing::Run([] {
    Chan<int> beats = MakeChan<int>();
    auto [ctx, cancel] = WithTimeout(Background(), absl::Hours(24));
    for (int node = 0; node < 5; ++node) {
      Go([=, ctx = ctx] {
        Ticker t = NewTicker(absl::Minutes(1));
        for (int i = 0; node != 3 || i < 100; ++i) {
          if (Select(OnRecv(t.C()), OnRecv(ctx.Done())) == 1) return;
          if (Select(OnSend(beats, node), OnRecv(ctx.Done())) == 1) return;
        }
        t.Stop();
      });
    }
    std::vector<absl::Time> last(5, kStart);
    std::set<int> silent;
    Ticker check = NewTicker(absl::Minutes(5));
    for (bool more = true; more;) {
      Select(OnRecv(beats, [&](std::optional<int> n) { last[*n] = Now(); }),
             OnRecv(check.C(),
                    [&](std::optional<absl::Time>) {
                      for (int n = 0; n < 5; ++n) {
                        if (Now() - last[n] > absl::Minutes(3)) silent.insert(n);
                      }
                    }),
             OnRecv(ctx.Done(), [&](std::optional<Unit>) { more = false; }));
    }
    check.Stop();
    EXPECT_EQ(silent, std::set<int>{3});
    EXPECT_EQ(last[3], kStart + absl::Minutes(100));
    EXPECT_EQ(Now(), kStart + absl::Hours(24));
  });
}

// Of two that call it at the same instant one is refused, or comes after the other.
TEST(BubbleRace, OneWaitAtATime) {
  constexpr int kRounds = GORT_TEST_SANITIZED ? 200 : 2'000;
  InGort([] {
    Procs p(4);
    for (int i = 0; i < kRounds; ++i) {
      testing::Run([&] {
        std::atomic<int> here{0};
        WaitGroup wg;
        for (int k = 0; k < 2; ++k) {
          wg.Go([&] {
            ++here;
            while (here < 2) {
            }
            const std::string error = Thrown([] { testing::Wait(); });
            EXPECT_TRUE(error.empty() || error == "gort::testing::Wait is going on already");
          });
        }
        wg.Wait();
      });
    }
  });
}

constexpr bool kSanitized = GORT_ASAN || GORT_TSAN;

GORT_NOINLINE void ForgetsToClose() {
  const Chan<int> lines = MakeChan<int>(1);
  Go(GoOptions{.name = "reader"}, [lines] {
    for (int line : lines) static_cast<void>(line);
  });
  lines.Send(1);
}

// A stale word may lead to one of them (leak/README.md), and not to all.
TEST(NoLeaks, NamesWhoWaitsForEver) {
  if (kSanitized) GTEST_SKIP() << "leak.h: not with a sanitizer";
  const std::string said = Thrown([] {
    testing::NoLeaks([] {
      for (int i = 0; i < 10; ++i) ForgetsToClose();
    });
  });
  EXPECT_EQ(said.rfind("leaked: ", 0), 0u) << said;
  for (const char* part :
       {"[chan receive]", " \"reader\", created by ", "ForgetsToClose", "testing_test.cc:"}) {
    EXPECT_NE(said.find(part), std::string::npos) << part << " in " << said;
  }
}

TEST(NoLeaks, CountsNeitherWhatWasThereNorWhatCanBeWoken) {
  InGort([] {
    ForgetsToClose();
    const Chan<int> kept = MakeChan<int>();
    EXPECT_EQ(Thrown([&kept] {
                testing::NoLeaks([&kept] {
                  Go([kept] { kept.Recv(); });
                  WaitGroup done;
                  for (int i = 0; i < 10; ++i) done.Go([] { Sleep(absl::Milliseconds(1)); });
                  done.Wait();
                });
              }),
              "");
    kept.Close();
  });
}

// It has not come to where it waits when f returns.
TEST(NoLeaks, WaitsForWhoIsOnTheWay) {
  if (kSanitized) GTEST_SKIP() << "leak.h: not with a sanitizer";
  const std::string said = Thrown([] {
    testing::NoLeaks([] {
      for (int i = 0; i < 10; ++i) {
        const Chan<int> c = MakeChan<int>();
        Go([c] {
          Sleep(absl::Milliseconds(10));
          c.Send(1);
        });
      }
    });
  });
  EXPECT_NE(said.find("[chan send]"), std::string::npos) << said;
}

TEST(NoLeaks, ThrowsWhatFunctionsThrow) {
  EXPECT_EQ(Thrown([] { testing::NoLeaks([] { throw std::runtime_error("mine"); }); }), "mine");
  testing::NoLeaks([] { Goexit(); });
  EXPECT_EQ(Thrown([] { testing::Run([] { testing::NoLeaks([] {}); }); }),
            "gort::testing::NoLeaks called from within a bubble");
}

// Two goroutines that read, give way, and write: some schedules lose an update, which Explore
// finds, and the seed that found it finds it again.
TEST(Schedules, ExploreFindsALostUpdate) {
  auto race = [] {
    int64_t balance = 0;
    Chan<Unit> log = MakeChan<Unit>(100);
    WaitGroup wg;
    for (int i = 0; i < 2; ++i) {
      wg.Go([&] {
        const int64_t seen = balance;
        log.Send({});  // a point where it may give way
        balance = seen + 1;
      });
    }
    wg.Wait();
    if (balance != 2) throw std::runtime_error(std::to_string(testing::ScheduleSeed()));
  };
  const std::string seed = Thrown([&] { Explore(1000, race); });
  ASSERT_NE(seed, "") << "no schedule of 1000 lost it";
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Thrown([&] { Explore(1, race, std::stoull(seed)); }), seed);
  }
  EXPECT_EQ(testing::ScheduleSeed(), 0u);
}

// The clock runs on a goroutine: one that gave way in the middle of a send would leave b's lock to
// the goroutine that a has just woken.
TEST(Schedules, TickersSendWithoutGivingWay) {
  Explore(20, [] {
    Ticker a = NewTicker(absl::Milliseconds(1));
    Ticker b = NewTicker(absl::Milliseconds(1));
    for (int i = 0; i < 20; ++i) {
      for (int k = 0; k <= i % 4; ++k) a.C().Recv();  // b's channel is full meanwhile
      b.Reset(absl::Milliseconds(1));
    }
    a.Stop();
    b.Stop();
  });
}

TEST(Schedules, SameSeedSameScheduleOtherSeedAnother) {
  auto trace = [](uint64_t seed) {
    std::string order;
    Explore(
        1,
        [&] {
          Chan<int> ch = MakeChan<int>(1);
          WaitGroup wg;
          for (int g = 0; g < 6; ++g) {
            wg.Go([&, g] {
              for (int i = 0; i < 5; ++i) {
                Select(OnSend(ch, g), OnRecv(ch));
                order += static_cast<char>('a' + g);
                if (i == 2) Sleep(absl::Seconds(1));
              }
            });
          }
          wg.Wait();
        },
        seed);
    return order;
  };
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const std::string order = trace(seed);
    EXPECT_EQ(order, trace(seed)) << "seed " << seed;
    seen.insert(order);
  }
  EXPECT_GT(seen.size(), 10u);
}

}  // namespace
}  // namespace gort
