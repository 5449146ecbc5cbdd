#include "own_library/pipeline.h"

#include "gort/gort.h"

int SumOfSquares(int n) {
  return gort::Run([n] {
    gort::Chan<int> squares = gort::MakeChan<int>();
    for (int i = 1; i <= n; ++i) gort::Go([=]() mutable { squares.Send(i * i); });
    int sum = 0;
    for (int i = 1; i <= n; ++i) sum += *squares.Recv();
    return sum;
  });
}
