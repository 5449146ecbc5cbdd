// Prints in which order goroutines ran; seed_test.cc compares.
#include <cstdio>
#include <string>

#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/runtime.h"
#include "gort/sync/sync.h"
#include "gort/tests/support/goroutines.h"

GORT_TEST_LEAVES_GOROUTINES_BEHIND

int main() {
  return gort::Run([] {
    std::string order;  // one P
    gort::WaitGroup wg;
    gort::Chan<int> a = gort::MakeChan<int>(), b = gort::MakeChan<int>(2);
    for (int g = 0; g < 8; ++g) {
      wg.Go([&, g] {
        for (int i = 0; i < 20; ++i) {
          order += static_cast<char>('a' + g);
          gort::Select(gort::OnSend(a, g), gort::OnRecv(a), gort::OnSend(b, g), gort::OnRecv(b));
          if (i % 5 == 0) gort::Gosched();
        }
      });
    }
    // Somebody to talk to for those that are left over.
    gort::Go([a, b] {
      while (true) gort::Select(gort::OnSend(a, 0), gort::OnRecv(a), gort::OnRecv(b));
    });
    wg.Wait();
    std::printf("%s\n", order.c_str());
    return 0;
  });
}
