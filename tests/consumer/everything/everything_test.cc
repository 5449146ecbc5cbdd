// One header, one dependency.
#include "gort/gort.h"
#include "gtest/gtest.h"

TEST(Everything, WorksTogether) {
  int result = gort::Run([] {
    gort::Chan<int> squares = gort::MakeChan<int>();
    gort::WaitGroup workers;
    for (int i = 1; i <= 10; ++i) workers.Go([=] { squares.Send(i * i); });
    gort::Go([&] {
      workers.Wait();
      squares.Close();
    });
    gort::RecvChan<absl::Time> late = gort::After(absl::Hours(1));
    int sum = 0;
    for (bool more = true; more;) {
      gort::Select(gort::OnRecv(squares,
                                [&](std::optional<int> v) {
                                  more = v.has_value();
                                  sum += v.value_or(0);
                                }),
                   gort::OnRecv(late, [&](std::optional<absl::Time>) { more = false; }));
    }
    return sum;
  });
  EXPECT_EQ(result, 385);
}

TEST(Everything, Panics) {
  gort::Run([] {
    gort::Chan<int> ch = gort::MakeChan<int>();
    ch.Close();
    EXPECT_THROW(ch.Send(1), gort::Panic);
    return 0;
  });
}
