// A goroutine for each square, a channel for the sum: what gort.h is for. Prints the sum.
#include <cstdio>

#include "gort/gort.h"

int main() {
  const int sum = gort::Run([] {
    gort::Chan<int> squares = gort::MakeChan<int>();
    gort::WaitGroup workers;
    for (int i = 1; i <= 10; ++i) workers.Go([=] { squares.Send(i * i); });
    gort::Go([&] {
      workers.Wait();
      squares.Close();
    });
    int total = 0;
    while (std::optional<int> square = squares.Recv()) total += *square;
    gort::Sleep(absl::Milliseconds(1));
    return total;
  });
  std::printf("gort %s: %d\n", GORT_VERSION_STRING, sum);
  return 0;
}
