#include "gort/platforms/pins.h"

#include <gtest/gtest.h>

#include <thread>

namespace gort::rt {
namespace {

int regained = 0;

TEST(Pins, AThreadIsPinnedFromItsBeginning) {
  EXPECT_EQ(Pins(), 1);
  std::thread([] {
    EXPECT_EQ(Pins(), 1);
    EXPECT_EQ(LocksCounted(), 0);
    EXPECT_FALSE(PLost());
  }).join();
}

TEST(Pins, AreCountedForTheThread) {
  {
    Pinned outer;
    Pinned inner;
    EXPECT_EQ(Pins(), 3);
    std::thread([] { EXPECT_EQ(Pins(), 1); }).join();
  }
  EXPECT_EQ(Pins(), 1);
  SetPins(7);
  EXPECT_EQ(PinsOfThisThread()->pins.load(), 7);
  SetPins(1);
}

TEST(Pins, AndLocksApart) {
  ThreadPins* mine = PinsOfThisThread();
  SetPins(0);
  EXPECT_FALSE(mine->busy());
  CountLock();
  EXPECT_EQ(LocksCounted(), 1);
  EXPECT_EQ(Pins(), 0);
  EXPECT_TRUE(mine->busy());
  UncountLock();
  EXPECT_FALSE(mine->busy());
  Pin();
  EXPECT_TRUE(mine->busy());
}

TEST(Pins, WithPAsksForOneWhenItIsLost) {
  regain_p_hook.Set([] {
    EXPECT_EQ(Pins(), 2);  // pinned before it asks
    ++regained;
    SetPLost(false);
  });
  { PinnedWithP pinned; }
  EXPECT_EQ(regained, 0);
  PinsOfThisThread()->lost.store(1);
  { Pinned pinned; }
  EXPECT_EQ(regained, 0);
  { PinnedWithP pinned; }
  EXPECT_EQ(regained, 1);
  EXPECT_FALSE(PLost());
  EXPECT_EQ(Pins(), 1);
}

}  // namespace
}  // namespace gort::rt
