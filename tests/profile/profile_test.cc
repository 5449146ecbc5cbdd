// What calls promise: states, errors, labels. What is in the files is tests/profile's.
#include "gort/profile/profile.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include "gort/base/attributes.h"
#include "gort/chan/chan.h"
#include "gort/profile/labels.h"
#include "gort/runtime.h"
#include "gort/sync/wait_group.h"
#include "gtest/gtest.h"

namespace gort {
namespace {

using LabelMap = std::map<std::string, std::string>;
using profile::Kind;

// Runs f as a main function.
template <class F>
void Runs(F f) {
  Run([&f] {
    f();
    return 0;
  });
}

int64_t ProcessMs() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec * int64_t{1000} + t.tv_nsec / 1'000'000;
}

std::atomic<uint64_t> sink;

void Burn(int64_t ms) {
  const int64_t until = ProcessMs() + ms;
  while (ProcessMs() < until) {
    for (uint64_t i = 0; i < 10'000; ++i) sink.store(i, std::memory_order_relaxed);
  }
}

// Runs f on a thread that gort did not make. The goroutine leaves its P to others meanwhile: what f asks
// for may have to stop the world.
template <class F>
void OnAThread(F f) {
  Blocking([&f] { std::thread(f).join(); });
}

TEST(Cpu, StartsOnceAndStopsOnce) {
  Runs([] {
    EXPECT_EQ(profile::StopCpu().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(profile::TakeCpu().status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_TRUE(profile::StartCpu("").ok());
    EXPECT_EQ(profile::StartCpu("").code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(profile::StopCpu().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_TRUE(profile::TakeCpu().ok());
    EXPECT_FALSE(profile::TakeCpu().ok());
    EXPECT_TRUE(profile::StartCpu("").ok());
    EXPECT_TRUE(profile::TakeCpu().ok());
  });
}

TEST(Cpu, RefusesWhatCannotBe) {
  Runs([] {
    EXPECT_EQ(profile::StartCpu("", {.hz = 0}).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(profile::StartCpu("", {.hz = 1001}).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(profile::StartCpu("/no/such/folder/x").code(), absl::StatusCode::kNotFound);
    EXPECT_TRUE(profile::StartCpu("").ok()) << "the attempts have left something on";
    EXPECT_TRUE(profile::TakeCpu().ok());
  });
}

TEST(Cpu, StartsAndStopsOnAnyThread) {
  Runs([] {
    OnAThread([] {
      EXPECT_TRUE(profile::StartCpu("").ok());
      Burn(60);
      const absl::StatusOr<std::string> p = profile::TakeCpu();
      EXPECT_TRUE(p.ok() && !p->empty());
    });
  });
}

bool Has(const std::string& profile, std::string_view text) {
  return profile.find(text) != profile.npos;
}

TEST(Cpu, MeetsThreadsThatCameLater) {
  Runs([] {
    EXPECT_TRUE(profile::StartCpu("").ok());
    OnAThread([] {
      SetLabels({{"where", "on a thread"}});
      Burn(300);
    });
    WaitGroup wg;
    for (int i = 0; i < 4; ++i) {
      wg.Go([] { WithLabels({{"where", "in a goroutine"}}, [] { Burn(200); }); });
    }
    wg.Wait();
    const std::string p = *profile::TakeCpu();
    EXPECT_TRUE(Has(p, "on a thread"));
    EXPECT_TRUE(Has(p, "in a goroutine"));
  });
}

constinit std::atomic<int> others_signals{0};
void OthersHandler(int) { others_signals.fetch_add(1); }

// ThreadSanitizer's handlers are not the kernel's.
TEST(Cpu, LeavesAProgramItsOwnSignals) {
  if (GORT_TSAN) GTEST_SKIP();
  Runs([] {
    struct sigaction mine {};
    mine.sa_handler = &OthersHandler;
    struct sigaction before {};
    sigaction(SIGPROF, &mine, &before);
    others_signals = 0;
    EXPECT_TRUE(profile::StartCpu("").ok());
    raise(SIGPROF);
    Burn(100);
    EXPECT_EQ(others_signals, 1) << "the timers' signals are not the program's";
    EXPECT_TRUE(profile::TakeCpu().ok());
    raise(SIGPROF);
    EXPECT_EQ(others_signals, 2);
    sigaction(SIGPROF, &before, nullptr);
  });
}

TEST(Cpu, HasOneTimerForAllWhereThereAreNoMore) {
  Runs([] {
    rlimit limit;
    getrlimit(RLIMIT_SIGPENDING, &limit);
    rlimit none = limit;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_SIGPENDING, &none);
    const absl::Status begun = profile::StartCpu("");
    setrlimit(RLIMIT_SIGPENDING, &limit);
    ASSERT_TRUE(begun.ok()) << std::string(begun.message());
    WithLabels({{"limit", "of signals"}}, [] { Burn(200); });
    EXPECT_TRUE(Has(*profile::TakeCpu(), "of signals"));
    itimerval timer;
    getitimer(ITIMER_PROF, &timer);
    EXPECT_EQ(timer.it_value.tv_sec + timer.it_value.tv_usec, 0);
  });
}

// A child has no timers and no thread that counts: it is told so, and does not hang.
TEST(Cpu, IsNotInAForkedChild) {
  if (GORT_TSAN) GTEST_SKIP();
  Runs([] {
    EXPECT_TRUE(profile::StartCpu("").ok());
    const pid_t child = fork();
    if (child == 0) _exit(profile::TakeCpu().ok() ? 1 : 7);
    int status = 0;
    while (waitpid(child, &status, 0) != child) {
    }
    EXPECT_EQ(WEXITSTATUS(status), 7);
    EXPECT_TRUE(profile::TakeCpu().ok());
  });
}

// A tick that comes within the call would end it with EINTR; SA_RESTART does not help a poll. (With a
// handler of the program's that blocks our signal nothing can be said, and the sanitizers have some.)
TEST(Cpu, EndsNoCallOfTheProgram) {
  if (GORT_ASAN || GORT_TSAN) GTEST_SKIP();
  Runs([] {
    EXPECT_TRUE(profile::StartCpu("", {.hz = 1000}).ok());
    int fds[2];
    ASSERT_EQ(pipe(fds), 0);
    int64_t ended = 0;
    const timespec none = {};
    for (const int64_t until = ProcessMs() + 500; ProcessMs() < until;) {
      pollfd p{fds[0], POLLIN, 0};
      ended += syscall(SYS_ppoll, &p, 1, &none, nullptr, 8) != 0 ? 1 : 0;
    }
    EXPECT_EQ(ended, 0);
    close(fds[0]);
    close(fds[1]);
    EXPECT_TRUE(profile::TakeCpu().ok());
  });
}

// What its table says of its caller's frame is wrong on every CPU: it lies at the address 8
// (DW_CFA_def_cfa_expression, DW_OP_const1u 8).
__attribute__((noinline)) void MisleadsUnwinders(int64_t ms) {
  asm volatile(".cfi_remember_state\n .cfi_escape 0x0f, 2, 0x08, 8");
  Burn(ms);
  asm volatile(".cfi_restore_state");
}

TEST(Cpu, GoesOnAfterAWalkThatFaults) {
  Runs([] {
    EXPECT_TRUE(profile::StartCpu("", {.hz = 1000}).ok());
    WithLabels({{"walk", "misled"}}, [] { MisleadsUnwinders(200); });
    WithLabels({{"walk", "sound"}}, [] { Burn(200); });
    const std::string p = *profile::TakeCpu();
    EXPECT_TRUE(Has(p, "misled"));
    EXPECT_TRUE(Has(p, "sound"));
  });
}

// Goroutines come and go, change labels, switch and are pre-empted under a thousand samples a second.
TEST(Cpu, OutlivesAStorm) {
  Runs([] {
    EXPECT_TRUE(profile::StartCpu("", {.hz = 1000}).ok());
    std::atomic<bool> done{false};
    WaitGroup wg;
    for (int i = 0; i < 6; ++i) {
      wg.Go([&done, i] {
        const Chan<int> c = MakeChan<int>();
        for (int n = 0; !done; ++n) {
          SetLabels({{"n", std::to_string(n % 100)}, {"worker", std::to_string(i)}});
          Go([c, n] {
            LabelScope scope({{"child", "yes"}});
            c.Send(n);
          });
          EXPECT_EQ(c.Recv(), n);
          try {
            if (n % 16 == 0) throw std::runtime_error("unwinds");
          } catch (const std::runtime_error&) {
          }
        }
      });
    }
    Burn(1000);
    done = true;
    wg.Wait();
    EXPECT_TRUE(Has(*profile::TakeCpu(), "worker"));
  });
}

TEST(Labels, AreAGoroutinesOwn) {
  Runs([] {
    EXPECT_EQ(Labels(), LabelMap());
    SetLabels({{"b", "2"}, {"a", "1"}, {"b", "3"}});
    EXPECT_EQ(Labels(), (LabelMap{{"a", "1"}, {"b", "3"}}));
    WaitGroup wg;
    wg.Go([] {
      EXPECT_EQ(Labels(), (LabelMap{{"a", "1"}, {"b", "3"}})) << "inherited";
      SetLabels({});
      EXPECT_EQ(Labels(), LabelMap());
    });
    wg.Wait();
    EXPECT_EQ(Labels().size(), 2u) << "another's change";
    SetLabels({});
  });
}

TEST(Labels, OfAScopeEndWithIt) {
  Runs([] {
    SetLabels({{"a", "1"}});
    const int got = WithLabels({{"b", "2"}, {"a", "9"}}, [] {
      EXPECT_EQ(Labels(), (LabelMap{{"a", "9"}, {"b", "2"}}));
      SetLabels({{"c", "3"}});
      return 5;
    });
    EXPECT_EQ(got, 5);
    EXPECT_EQ(Labels(), (LabelMap{{"a", "1"}}));
    EXPECT_THROW(WithLabels({{"b", "2"}}, [] { throw std::runtime_error("x"); }),
                 std::runtime_error);
    EXPECT_EQ(Labels(), (LabelMap{{"a", "1"}}));
    SetLabels({});
  });
}

TEST(Labels, AreVisitedAsTheyWere) {
  Runs([] {
    SetLabels({{"a", "1"}, {"b", "2"}});
    std::string seen;
    ForEachLabel([&seen](std::string_view key, std::string_view value) {
      SetLabels({});
      seen.append(key).append(value);
    });
    EXPECT_EQ(seen, "a1b2");
    EXPECT_EQ(Labels(), LabelMap());
  });
}

TEST(Labels, ShowInDumps) {
  Runs([] {
    SetLabels({{"request", "42"}, {"path", "/a b\"\n"}});
    EXPECT_TRUE(Has(Stack(false), "[running] {path=\"/a b\\\"\\x0a\", request=42}:\n"));
    const Chan<int> c = MakeChan<int>();
    Go([c] { c.Recv(); });
    SetLabels({});
    while (!Has(Stack(true), "[chan receive] {path=")) Gosched();
    c.Send(1);
  });
}

TEST(Labels, OfAForeignThreadEndWithIt) {
  std::thread([] {
    SetLabels({{"a", "1"}});
    EXPECT_EQ(Labels().size(), 1u);
  }).join();
  std::thread([] { EXPECT_EQ(Labels(), LabelMap()); }).join();
}

TEST(Read, WorksOnAnyThreadAndBesideGoroutines) {
  Runs([] {
    profile::SetBlockProfileRate(1);
    profile::SetMutexProfileFraction(1);
    std::atomic<bool> done{false};
    WaitGroup wg;
    for (int i = 0; i < 4; ++i) {
      wg.Go([&done] {
        while (!done) {
          const Chan<int> c = MakeChan<int>();
          Go([c] { c.Send(1); });
          c.Recv();
        }
      });
    }
    for (int i = 0; i < 20; ++i) {
      for (const Kind k : {Kind::kGoroutine, Kind::kBlock, Kind::kMutex, Kind::kHeap}) {
        EXPECT_FALSE(profile::Read(k).empty());
      }
    }
    OnAThread([] { EXPECT_TRUE(Has(profile::Read(Kind::kGoroutine), "goroutine")); });
    done = true;
    wg.Wait();
    profile::SetBlockProfileRate(0);
    EXPECT_EQ(profile::SetMutexProfileFraction(-1), 1);
    EXPECT_EQ(profile::SetMutexProfileFraction(0), 1);
  });
}

TEST(Write, SaysWhatTheSystemSaid) {
  Runs([] {
    EXPECT_EQ(profile::Write(Kind::kHeap, "/no/such/folder/x").code(), absl::StatusCode::kNotFound);
    EXPECT_FALSE(profile::Write(Kind::kHeap, -1).ok());
    const int full = open("/dev/full", O_WRONLY);
    if (full >= 0) {
      EXPECT_EQ(profile::Write(Kind::kHeap, full).code(), absl::StatusCode::kResourceExhausted);
      close(full);
    }
  });
}

}  // namespace
}  // namespace gort
