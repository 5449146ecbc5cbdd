#include "gort/base/hook.h"

#include <atomic>
#include <memory>
#include <thread>
#include <utility>

#include "gtest/gtest.h"

namespace gort::rt {
namespace {

int Twice(int n) { return 2 * n; }
int Thrice(int n) { return 3 * n; }

constinit Hook<int(int)> number_hook{&Twice};

TEST(Hook, CallsItsFallbackUntilSetThenTheLastTarget) {
  EXPECT_EQ(number_hook(5), 10);
  number_hook.Set(&Thrice);
  EXPECT_EQ(number_hook.Get(), &Thrice);
  EXPECT_EQ(number_hook(5), 15);
  number_hook.Set(&Twice);
  EXPECT_EQ(number_hook(5), 10);
}

int Take(std::unique_ptr<int> p, int& seen) { return seen = *p; }
constinit Hook<int(std::unique_ptr<int>, int&)> owner_hook{&Take};

TEST(Hook, ForwardsMovedAndReferenceArguments) {
  int seen = 0;
  EXPECT_EQ(owner_hook(std::make_unique<int>(9), seen), 9);
  EXPECT_EQ(seen, 9);
}

int payload = 0;  // plain: ordered by the hook alone
int Nothing() { return 0; }
int ReadPayload() { return payload; }
constinit Hook<int()> payload_hook{&Nothing};

// Under ThreadSanitizer a missing release or acquire shows as a race on payload.
TEST(Hook, ATargetSeesWhatWasWrittenBeforeItWasSet) {
  std::thread reader([] {
    while (payload_hook.Get() == &Nothing) std::this_thread::yield();
    EXPECT_EQ(payload_hook(), 17);
  });
  payload = 17;
  payload_hook.Set(&ReadPayload);
  reader.join();
}

}  // namespace
}  // namespace gort::rt
