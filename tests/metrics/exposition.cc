// Does a little of everything, and prints the metrics.
#include <cstdio>

#include "gort/metrics/metrics.h"
#include "gort/runtime.h"
#include "gort/sync/wait_group.h"

int gort_main(int argc, char**) {
  gort::WaitGroup wg;
  for (int i = 0; i < 1000; ++i) wg.Go([] { gort::Gosched(); });
  wg.Wait();
  if (argc == 1) gort::GOMAXPROCS(3);  // any word: the number of Ps stays
  gort::Blocking([] {});
  std::printf("%s", gort::metrics::Prometheus().c_str());
  return 0;
}
