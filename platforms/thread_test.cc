#include "gort/platforms/thread.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "gort/base/attributes.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/mem.h"
#include "gort/platforms/signal.h"
#include "gort/tests/support/child.h"
#include "gort/tests/support/sandbox.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

// Runs fn(arg) on a thread of its own to its end.
void RunOnThread(void (*fn)(void*), void* arg) {
  ThreadHandle h = 0;
  ASSERT_EQ(ThreadCreate(&h, fn, arg), 0);
  ASSERT_NE(h, 0u);
  ASSERT_EQ(pthread_join(static_cast<pthread_t>(h), nullptr), 0);
}

TEST(Thread, RunsItsFunctionWithItsArgument) {
  int n = 20;
  RunOnThread([](void* p) { *static_cast<int*>(p) += 1; }, &n);
  EXPECT_EQ(n, 21);
}

TEST(Thread, ADetachedThreadRunsToItsEnd) {
  static std::atomic<bool> ran{false};
  ThreadHandle h = 0;
  ASSERT_EQ(ThreadCreate(
                &h, [](void*) { ran.store(true); }, nullptr),
            0);
  ThreadDetach(h);
  while (!ran.load()) ThreadYield();
}

TEST(Thread, StartsWithEverySignalBlockedAndTheCreatorKeepsItsMask) {
  SigSet before = SigCurrentMask();
  SigSet inside;
  sigemptyset(&inside);
  RunOnThread([](void* p) { *static_cast<SigSet*>(p) = SigCurrentMask(); }, &inside);
  SigSet after = SigCurrentMask();
  // Without the C library's own; an emulator keeps the last ones for itself.
  for (int sig = 1; sig <= SIGRTMIN; ++sig) {
    if (sig >= __SIGRTMIN && sig < SIGRTMIN) continue;
    if (sig == SIGKILL || sig == SIGSTOP) continue;  // nobody can
    EXPECT_EQ(sigismember(&inside, sig), 1) << sig;
    EXPECT_EQ(sigismember(&before, sig), sigismember(&after, sig)) << sig;
  }
}

struct Bounds {
  bool ok;
  uintptr_t lo, hi, local;
  bool lowest_readable, highest_readable, below_readable;
};

void LookAtStack(void* p) {
  auto* b = static_cast<Bounds*>(p);
  char local = 0;
  b->local = reinterpret_cast<uintptr_t>(&local);
  b->ok = ThreadStackBounds(&b->lo, &b->hi);
  b->lowest_readable = MemReadable(reinterpret_cast<void*>(b->lo));
  b->highest_readable = MemReadable(reinterpret_cast<void*>(b->hi - 1));
  b->below_readable = MemReadable(reinterpret_cast<void*>(b->lo - 1));
}

TEST(Thread, StackBoundsHoldALocalAndNotTheGuard) {
  Bounds b{};
  RunOnThread(&LookAtStack, &b);
  ASSERT_TRUE(b.ok);
  EXPECT_LT(b.lo, b.local);
  EXPECT_LT(b.local, b.hi);
  EXPECT_GE(b.hi - b.lo, 64u << 10);
  EXPECT_TRUE(b.lowest_readable);
  EXPECT_TRUE(b.highest_readable);
  EXPECT_FALSE(b.below_readable);
}

// The C library takes it out of the stack of each thread.
thread_local volatile char many_thread_locals[200 << 10];

TEST(Thread, ThreadLocalVariablesLeaveTheStackItsSize) {
  Bounds b{};
  RunOnThread(
      [](void* p) {
        many_thread_locals[0] = 1;
        LookAtStack(p);
      },
      &b);
  ASSERT_TRUE(b.ok);
  EXPECT_GE(b.local - b.lo, 200u << 10);
}

TEST(Thread, StackBoundsOfTheFirstThreadHoldALocal) {
  Bounds b{};
  LookAtStack(&b);
  ASSERT_TRUE(b.ok);
  EXPECT_LT(b.lo, b.local);
  EXPECT_LT(b.local, b.hi);
  EXPECT_TRUE(b.highest_readable);
  // What the C library says leaves out arguments and environment.
  pthread_attr_t attr;
  ASSERT_EQ(pthread_getattr_np(pthread_self(), &attr), 0);
  void* base = nullptr;
  size_t bytes = 0;
  pthread_attr_getstack(&attr, &base, &bytes);
  pthread_attr_destroy(&attr);
  EXPECT_GE(b.hi, reinterpret_cast<uintptr_t>(base) + bytes);
  EXPECT_EQ(b.lo, reinterpret_cast<uintptr_t>(base));
}

TEST(Thread, IdsTellThreadsApart) {
  int other = 0;
  RunOnThread([](void* p) { *static_cast<int*>(p) = ThreadId(); }, &other);
  EXPECT_GT(other, 0);
  EXPECT_NE(other, ThreadId());
  EXPECT_EQ(ProcessId(), getpid());
}

TEST(Thread, KillOfAThreadThatIsGoneIsFalse) {
  int gone = 0;
  RunOnThread([](void* p) { *static_cast<int*>(p) = ThreadId(); }, &gone);
  errno = 1234;
  EXPECT_TRUE(ThreadKill(ThreadId(), 0));
  // The C library lets a joiner go a moment before the kernel has forgotten the thread.
  while (ThreadKill(gone, 0)) ThreadYield();
  EXPECT_EQ(errno, 1234);
}

// A thread that waits in the kernel until it may end.
struct Sleeper {
  std::atomic<int> tid{0};
  std::atomic<bool> spin{true};
  int fds[2];
};

TEST(Thread, IsAsleepWhileItWaitsInTheKernel) {
  Sleeper s;
  ASSERT_EQ(pipe(s.fds), 0);
  ThreadHandle h = 0;
  const auto run = [](void* p) {
    auto* of = static_cast<Sleeper*>(p);
    of->tid = ThreadId();
    while (of->spin) {
    }
    char c;
    EXPECT_EQ(read(of->fds[0], &c, 1), 1);
  };
  ASSERT_EQ(ThreadCreate(&h, run, &s), 0);
  while (s.tid == 0) ThreadYield();
  if (ThreadIsAsleep(s.tid, true)) GTEST_SKIP() << "the system does not tell";
  const int64_t before = ThreadCpuNs(s.tid);
  while (ThreadCpuNs(s.tid) == before) ThreadYield();  // it computes
  s.spin = false;
  while (!ThreadIsAsleep(s.tid, false)) ThreadYield();
  const int64_t asleep = ThreadCpuNs(s.tid);
  EXPECT_GT(asleep, 0);
  EXPECT_EQ(ThreadCpuNs(s.tid), asleep);
  EXPECT_EQ(write(s.fds[1], "x", 1), 1);
  ASSERT_EQ(pthread_join(static_cast<pthread_t>(h), nullptr), 0);
  while (ThreadCpuNs(s.tid) != -1) ThreadYield();
  EXPECT_TRUE(ThreadIsAsleep(s.tid, true)) << "nothing is known of a thread that is gone";
  EXPECT_FALSE(ThreadIsAsleep(s.tid, false));
  close(s.fds[0]);
  close(s.fds[1]);
}

void SetAndGetName(void* p) {
  ThreadSetName(static_cast<const char*>(p));
  pthread_getname_np(pthread_self(), static_cast<char*>(p), 16);
}

TEST(Thread, NamesAreSetAndLongOnesCutToFifteenBytes) {
  char name[64] = "gort-sysmon";
  RunOnThread(&SetAndGetName, name);
  EXPECT_STREQ(name, "gort-sysmon");
  strcpy(name, "a name of twenty-six bytes");
  RunOnThread(&SetAndGetName, name);
  EXPECT_STREQ(name, "a name of twent");
}

TEST(Thread, SleepLastsAtLeastItsTimeAndNoneForNothing) {
  int64_t start = Nanotime();
  ThreadSleep(2'000'000);
  EXPECT_GE(Nanotime() - start, 2'000'000);
  ThreadSleep(0);
  ThreadSleep(-5);
}

TEST(Thread, TheLimitOnThreadsIsReportedAsAnError) {
  if (GORT_ASAN || GORT_TSAN) GTEST_SKIP() << "a sanitizer needs address space of its own";
  testing::ChildResult r = testing::RunInChild([] {
    // No address space for a stack: what a container's memory limit looks like.
    rlimit none{0, 0};
    setrlimit(RLIMIT_AS, &none);
    ThreadHandle h = 99;
    errno = 1234;
    int err = 0;
    // The first ones may get stacks that the C library kept from threads before.
    for (int i = 0; i < 100 && err == 0; ++i) {
      err = ThreadCreate(
          &h, [](void*) { pause(); }, nullptr);
    }
    _exit(err == 0 ? 1 : h != 0 ? 3 : errno != 1234 ? 4 : err == EAGAIN || err == ENOMEM ? 7 : 5);
  });
  if (r.status == 1) GTEST_SKIP() << "the limit is not enforced here";
  EXPECT_EQ(r.status, 7) << r.output;
}

// A process may put itself into a sandbox while it runs.
TEST(ThreadsBarrier, SaysThatItIsForbidden) {
  const testing::ChildResult r = testing::RunInChild([] {
    if (!ThreadsBarrierInit()) _exit(2);
    if (!ThreadsBarrier()) _exit(3);
    if (!testing::ForbidCall(SYS_membarrier)) _exit(2);
    errno = 55;
    if (ThreadsBarrier()) _exit(4);
    if (errno != 55) _exit(5);
  });
  if (r.status == 2) GTEST_SKIP() << "no such call here, or no filters";
  EXPECT_EQ(r.status, 0) << r.output;
}

}  // namespace
}  // namespace gort::rt
