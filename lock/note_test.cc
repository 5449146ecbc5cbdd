#include "gort/lock/note.h"

#include <cerrno>
#include <cstdint>
#include <thread>

#include "gort/platforms/clock.h"
#include "gort/tests/support/child.h"
#include "gtest/gtest.h"

namespace gort::rt {
namespace {

constexpr int64_t kMillisecond = 1'000'000;

TEST(Note, WakeupBeforeSleepLetsItThrough) {
  Note note;
  EXPECT_FALSE(note.IsSet());
  note.Wakeup();
  EXPECT_TRUE(note.IsSet());
  note.Sleep();
  EXPECT_TRUE(note.TSleep(0));
  EXPECT_TRUE(note.TSleep(-1));
}

// The payload is plain: under ThreadSanitizer a missing acquire or release shows as a race.
TEST(Note, WakeupAfterSleepEndsItAndHandsDataOver) {
  Note note;
  int payload = 0;
  std::thread sleeper([&] {
    note.Sleep();
    EXPECT_EQ(payload, 17);
  });
  payload = 17;
  note.Wakeup();
  sleeper.join();
}

TEST(Note, TwoNotesPlayPingPongThroughClear) {
  constexpr int kRounds = 10000;
  Note ping, pong;
  int n = 0;
  std::thread other([&] {
    for (int i = 0; i < kRounds; ++i) {
      ping.Sleep();
      ping.Clear();
      ++n;
      pong.Wakeup();
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    ping.Wakeup();
    pong.Sleep();
    pong.Clear();
    ASSERT_EQ(n, i + 1);
  }
  other.join();
}

TEST(Note, TSleepTimesOutNotBeforeItsTime) {
  Note note;
  int64_t start = Nanotime();
  EXPECT_FALSE(note.TSleep(3 * kMillisecond));
  EXPECT_GE(Nanotime() - start, 3 * kMillisecond);
  EXPECT_FALSE(note.TSleep(0));
  note.Wakeup();  // late, and fine
  EXPECT_TRUE(note.TSleep(0));
}

TEST(Note, TSleepIsTrueWhenWokenInTime) {
  for (int64_t ns : {int64_t{60'000} * kMillisecond, INT64_MAX, int64_t{-1}}) {
    Note note;
    std::thread waker([&] { note.Wakeup(); });
    EXPECT_TRUE(note.TSleep(ns));
    waker.join();
  }
}

TEST(Note, MayBeFreedByItsSleeper) {
  for (int i = 0; i < 2000; ++i) {
    Note* note = new Note;
    std::thread sleeper([note] {
      note->Sleep();
      delete note;
    });
    note->Wakeup();
    sleeper.join();
  }
}

TEST(Note, ASecondWakeupIsFatal) {
  testing::ChildResult r = testing::RunInChild([] {
    Note note;
    note.Wakeup();
    note.Wakeup();
  });
  EXPECT_EQ(r.status, 2);
  EXPECT_EQ(r.output, "fatal error: notewakeup - double wakeup\n");
}

TEST(Note, LeavesErrnoAlone) {
  Note note;
  errno = 1234;
  note.TSleep(1);
  note.Wakeup();
  EXPECT_EQ(errno, 1234);
}

}  // namespace
}  // namespace gort::rt
