// Goroutines and a channel without a library of Abseil's. Prints the sum.
#include <cstdio>

#include "gort/chan/chan.h"
#include "gort/runtime.h"

int main() {
  const int sum = gort::Run([] {
    gort::Chan<int> squares = gort::MakeChan<int>();
    for (int i = 1; i <= 10; ++i) gort::Go([=] { squares.Send(i * i); });
    int total = 0;
    for (int i = 1; i <= 10; ++i) total += *squares.Recv();
    return total;
  });
  std::printf("core: %d\n", sum);
  return 0;
}
