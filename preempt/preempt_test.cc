// The protocol of a request, step by step on one thread: the signal is blocked while a test looks
// at what is pending. The thread is an M with a goroutine that is pinned, so no request is acted
// upon here: tests/preempt has that.
//
//   | request             | signal_pending 0        | signal_pending 1            |
//   | of an M             | 1, and a signal is sent | nothing: one is on its way  |
//   | the M has no thread | stays 0                 | stays 1                     |
//   | the signal fails    | back to 0               | -                           |
//
//   | signal              | signal_pending 0        | signal_pending 1            |
//   | ours, G asked       | the application's       | 0, judged                   |
//   | ours, G not asked   | the application's       | 0, answered without a look  |
//   | another's           | the application's       | the same; ours goes again   |
//   | the thread has no M | the application's       | the application's           |
#include "gort/preempt/preempt.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdint>
#include <ctime>

#include "gort/base/attributes.h"
#include "gort/base/godebug.h"
#include "gort/gmp/getg.h"
#include "gort/gmp/m.h"
#include "gort/gmp/p.h"
#include "gort/gmp/sched_hooks.h"
#include "gort/gmp/status.h"
#include "gort/platforms/pins.h"
#include "gort/platforms/signal.h"
#include "gort/platforms/thread.h"
#include "gort/tests/support/child.h"

namespace gort::rt {
namespace {

using gort::testing::ChildResult;
using gort::testing::RunInChild;

int application = 0;  // signals that came to the application's handler
void Application(int) { ++application; }

void SetBlocked(int how) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGURG);
  pthread_sigmask(how, &set, nullptr);
}

// ---- settings: first, for a child has the registrations of its parent ----

// Installs with the settings in a process of its own; sends itself `sig`. True: ours took it.
bool Takes(void (*settings)(), int sig) {
  const ChildResult r = RunInChild([&] {
    settings();
    for (int s : {SIGURG, SIGUSR1}) signal(s, [](int) { _exit(33); });
    const auto harmless = sched_hooks.preempt_m;
    PreemptInstall();
    if (sched_hooks.preempt_m == harmless) _exit(34);
    G g;
    M m;
    g.m = &m;
    m.tid = ThreadId();
    Setg(&g);
    m.signal_pending = 1;
    ThreadKill(m.tid, sig);
    _exit(m.signal_pending == 0 ? 35 : 36);
  });
  EXPECT_TRUE(r.status == 33 || r.status == 34 || r.status == 35) << r.output;
  return r.status == 35;
}

TEST(PreemptSettings, WhichSignalAndWhether) {
  EXPECT_EQ(Takes([] {}, SIGURG), !GORT_TSAN);
  EXPECT_FALSE(Takes([] {}, SIGUSR1));
  EXPECT_EQ(Takes([] { godebug.preemptsignal = SIGUSR1; }, SIGUSR1), !GORT_TSAN);
  EXPECT_FALSE(Takes([] { godebug.preemptsignal = SIGUSR1; }, SIGURG));
  EXPECT_FALSE(Takes([] { godebug.asyncpreemptoff = 1; }, SIGURG));
}

TEST(PreemptSettings, TheTimeSlice) {
  EXPECT_EQ(TimeSliceNs(), 10'000'000);
  godebug.preemptrate = 1000;
  EXPECT_EQ(TimeSliceNs(), 1'000'000);
  godebug.preemptrate = 0;
}

// ---- requests and answers ----

int64_t Judged() {
  int64_t n = 0;
  for (int i = 0; i < static_cast<int>(Interrupted::kCount); ++i) {
    n += PreemptCount(static_cast<Interrupted>(i));
  }
  return n;
}

class Preempt : public ::testing::Test {
 protected:
  void SetUp() override {
    if (GORT_TSAN) GTEST_SKIP() << "off here";
    // Once in a process: registrations stay.
    static const bool installed = [] {
      signal(SIGURG, &Application);
      PreemptInstall();
      return true;
    }();
    ASSERT_TRUE(installed);
    application = 0;
    judged_ = Judged();
    g_.goid = 7;
    g_.m = &m_;
    g_.atomicstatus = kGRunning;
    g_.stack = {1, UINTPTR_MAX};
    m_.curg = &g_;
    m_.tid = ThreadId();
    m_.p = &p_;
    p_.m = &m_;
    p_.status = kPRunning;
    m_.locks = 1;  // pinned
    SetPins(0);
    Setg(&g_);
    SetBlocked(SIG_BLOCK);
  }
  void TearDown() override {
    if (GORT_TSAN) return;
    SetBlocked(SIG_UNBLOCK);
    Setg(nullptr);
    SetPins(1);
  }

  void Request() { sched_hooks.preempt_m(&m_); }
  bool Pending() const { return m_.signal_pending != 0; }
  // A signal of the number waits for this thread in the kernel.
  static bool Sent() {
    sigset_t set;
    sigpending(&set);
    return sigismember(&set, SIGURG) == 1;
  }
  // Takes it away; its handler does not run.
  static void Lose() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGURG);
    const timespec zero{};
    ASSERT_EQ(sigtimedwait(&set, nullptr, &zero), SIGURG);
  }
  // Lets the handler run, if there is a signal.
  static void Deliver() {
    SetBlocked(SIG_UNBLOCK);
    SetBlocked(SIG_BLOCK);
  }
  // Signals that were judged since the test began.
  int64_t judged() const { return Judged() - judged_; }

  G g_;
  M m_;
  P p_;

 private:
  int64_t judged_ = 0;
};

TEST_F(Preempt, TheFirstRequestSendsASignal) {
  Request();
  EXPECT_TRUE(Pending());
  EXPECT_TRUE(Sent());
}

TEST_F(Preempt, ASecondRequestIsTheSameOne) {
  Request();
  Lose();
  Request();
  EXPECT_TRUE(Pending());
  EXPECT_FALSE(Sent());
  m_.signal_pending = 0;
  Request();  // after the answer it is a new one
  EXPECT_TRUE(Sent());
}

// The application took the first one from the kernel (sigwait, signalfd).
TEST_F(Preempt, ARequestThatIsNeverAnsweredIsSentAgain) {
  Request();
  Lose();
  int requests = 0;
  while (!Sent() && requests < 100) {
    Request();
    ++requests;
  }
  EXPECT_TRUE(Sent());
  EXPECT_GT(requests, 1);
  EXPECT_TRUE(Pending());
  Deliver();
  EXPECT_FALSE(Pending());
  EXPECT_EQ(judged(), 1);
  EXPECT_EQ(application, 0);
}

// The first was answered while the second was on its way.
TEST_F(Preempt, OneThatWasSentAgainForNothingIsNotTheApplications) {
  m_.signal_again = 1;
  ThreadKill(ThreadId(), SIGURG);
  Deliver();
  EXPECT_EQ(application, 0);
  ThreadKill(ThreadId(), SIGURG);
  Deliver();
  EXPECT_EQ(application, 1);
  EXPECT_EQ(judged(), 0);
}

TEST_F(Preempt, AnMWithoutAThreadIsNotAsked) {
  m_.tid = 0;
  Request();
  EXPECT_FALSE(Pending());
  EXPECT_FALSE(Sent());
}

TEST_F(Preempt, ARequestToAThreadThatIsGoneIsTakenBack) {
  m_.tid = INT_MAX;
  Request();
  EXPECT_FALSE(Pending());
}

TEST_F(Preempt, ARequestLeavesErrnoAlone) {
  errno = 55;
  Request();
  EXPECT_EQ(errno, 55);
  Deliver();
  m_.tid = INT_MAX;
  errno = 56;
  Request();
  EXPECT_EQ(errno, 56);
}

// ---- answers ----

TEST_F(Preempt, TheAnswerClearsTheRequestAndLeavesTheGoroutineAsked) {
  g_.preempt = true;
  Request();
  Deliver();
  EXPECT_FALSE(Pending());
  EXPECT_EQ(judged(), 1);
  EXPECT_EQ(application, 0);
  // Pinned: the goroutine's next check point, or the next request, has to do it.
  EXPECT_TRUE(g_.preempt);
  Request();
  Deliver();
  EXPECT_EQ(judged(), 2);
}

TEST_F(Preempt, EachAnswerIsCounted) {
  g_.preempt = true;
  struct Case {
    Interrupted answer;
    void (*arrange)(G&, M&, P&);
  };
  const Case cases[] = {
      {Interrupted::kPinned, [](G&, M&, P&) {}},
      {Interrupted::kPinned, [](G&, M& m, P&) { m.locks = 0, SetPins(1); }},
      {Interrupted::kPinned, [](G&, M&, P&) { SetPins(0), CountLock(); }},
      {Interrupted::kNoP, [](G&, M& m, P&) { UncountLock(), m.p = nullptr; }},
      {Interrupted::kNotUserG, [](G&, M& m, P&) { m.curg = nullptr; }},
  };
  for (const Case& c : cases) {
    c.arrange(g_, m_, p_);
    const int64_t before = PreemptCount(c.answer);
    const int64_t all = Judged();
    Request();
    Deliver();
    EXPECT_EQ(PreemptCount(c.answer), before + 1) << InterruptedName(c.answer);
    EXPECT_EQ(Judged(), all + 1) << InterruptedName(c.answer);
    EXPECT_TRUE(g_.preempt) << InterruptedName(c.answer);
  }
}

TEST_F(Preempt, ARequestThatWasOvertakenIsAnsweredWithoutALook) {
  g_.preempt = false;  // the goroutine that it was for has left
  Request();
  Deliver();
  EXPECT_FALSE(Pending());
  EXPECT_EQ(judged(), 1);
  EXPECT_EQ(application, 0);
}

// ---- calls that a signal ends ----

// A wait for a millisecond, which the pending signal ends.
int WaitAMillisecond() {
  constexpr size_t kKernelSetBytes = 8;
  timespec t{0, 1'000'000};
  sigset_t none;
  sigemptyset(&none);
  return static_cast<int>(syscall(SYS_ppoll, nullptr, 0, &t, &none, kKernelSetBytes));
}

// The M's thread was on its way into the call, for longer than a signal takes, when ours was sent: its
// sender was held up, or the host took the CPU away.
TEST_F(Preempt, ACallThatOursHasEndedIsMadeAgain) {
  struct Case {
    const char* what;
    void (*arrange)(G&, M&, P&);
  };
  const Case cases[] = {
      {"pinned", [](G&, M&, P&) {}},
      {"overtaken", [](G& g, M& m, P&) { g.preempt = false, m.locks = 0; }},
      {"without a P", [](G& g, M& m, P&) { g.preempt = true, m.p = nullptr; }},
  };
  for (const Case& c : cases) {
    c.arrange(g_, m_, p_);
    Request();
    m_.signal_cpu = INT64_MIN / 2;
    EXPECT_EQ(WaitAMillisecond(), 0) << c.what;
    EXPECT_FALSE(Pending()) << c.what;
  }
  m_.signal_again = 1;
  ThreadKill(ThreadId(), SIGURG);
  EXPECT_EQ(WaitAMillisecond(), 0) << "sent again for nothing";
  EXPECT_EQ(application, 0);
}

TEST_F(Preempt, ACallThatAnApplicationsSignalHasEndedIsNot) {
  ThreadKill(ThreadId(), SIGURG);
  EXPECT_EQ(WaitAMillisecond(), -1);
  EXPECT_EQ(errno, EINTR);
  EXPECT_EQ(application, 1);
}

// Where there is a handler that blocks ours, that one may have ended the call.
TEST_F(Preempt, NorOneWhereAHandlerBlocksOursAndMuchTimeHasPassed) {
  struct sigaction action {};
  action.sa_handler = &Application;
  sigfillset(&action.sa_mask);
  struct sigaction before;
  ASSERT_EQ(sigaction(SIGUSR2, &action, &before), 0);
  Request();
  EXPECT_EQ(WaitAMillisecond(), 0);
  Request();
  m_.signal_cpu = INT64_MIN / 2;
  EXPECT_EQ(WaitAMillisecond(), -1);
  EXPECT_EQ(errno, EINTR);
  sigaction(SIGUSR2, &before, nullptr);
}

// ---- signals that are not ours ----

TEST_F(Preempt, ASignalOfTheApplicationsIsTheApplications) {
  g_.preempt = true;
  ThreadKill(ThreadId(), SIGURG);  // as ours are sent, but there was no request
  Deliver();
  EXPECT_EQ(application, 1);
  kill(getpid(), SIGURG);
  Deliver();
  EXPECT_EQ(application, 2);
  EXPECT_EQ(judged(), 0);
}

TEST_F(Preempt, OursThatTheKernelMergedWithAnotherIsSentAgain) {
  g_.preempt = true;
  Request();
  Lose();
  kill(getpid(), SIGURG);  // the one of the two that the kernel kept
  Deliver();
  EXPECT_EQ(application, 1);
  EXPECT_EQ(judged(), 1);
  EXPECT_FALSE(Pending());
}

TEST_F(Preempt, AThreadWithoutAnMKnowsOfNoRequest) {
  g_.preempt = true;
  Request();
  g_.m = nullptr;
  Deliver();
  EXPECT_EQ(application, 1);
  Setg(nullptr);
  ThreadKill(ThreadId(), SIGURG);
  Deliver();
  EXPECT_EQ(application, 2);
  EXPECT_TRUE(Pending());
  EXPECT_EQ(judged(), 0);
}

}  // namespace
}  // namespace gort::rt
