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

// What a call of the outside world usually looks like: a context over channels, locks and errors.
TEST(Everything, ContextsStopAPipeline) {
  int sum = gort::Run([] {
    auto [ctx, cancel] = gort::WithCancel(gort::Background());
    gort::Chan<int> numbers = gort::MakeChan<int>();
    gort::ErrGroup group(ctx);
    for (int w = 0; w < 3; ++w) {
      group.Go([ctx = ctx, numbers]() -> absl::Status {
        for (int i = 1;; ++i) {
          if (gort::Select(gort::OnSend(numbers, i), gort::OnRecv(ctx.Done())) == 1) {
            return ctx.Err();
          }
        }
      });
    }
    int total = 0;
    for (int i = 0; i < 300; ++i) total += numbers.Recv().value_or(0) > 0 ? 1 : 0;
    cancel();
    EXPECT_TRUE(absl::IsCancelled(group.Wait()));
    return total;
  });
  EXPECT_EQ(sum, 300);
}
