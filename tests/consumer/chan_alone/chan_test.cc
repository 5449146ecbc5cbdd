#include "gort/chan/chan.h"

#include <optional>

#include "gort/chan/select.h"
#include "gort/runtime.h"
#include "gtest/gtest.h"

TEST(ChanAlone, SendAndReceive) {
  int sum = 0;
  int result = gort::Run([&] {
    gort::Chan<int> numbers = gort::MakeChan<int>();
    gort::Go([numbers]() mutable {
      for (int i = 1; i <= 100; ++i) numbers.Send(i);
      numbers.Close();
    });
    for (int n : numbers) sum += n;
    return 3;
  });
  EXPECT_EQ(result, 3);
  EXPECT_EQ(sum, 5050);
}

TEST(ChanAlone, Select) {
  int which = gort::Run([] {
    gort::Chan<int> never;
    gort::Chan<int> ready = gort::MakeChan<int>(1);
    ready.Send(8);
    int got = 0;
    int index =
        gort::Select(gort::OnRecv(never, [](std::optional<int>) {}),
                     gort::OnRecv(ready, [&](std::optional<int> v) { got = v.value_or(-1); }));
    return got * 10 + index;
  });
  EXPECT_EQ(which, 81);
}
