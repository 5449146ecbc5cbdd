// A search in a process whose first thread has ended.
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "gort/base/attributes.h"
#include "gort/chan/chan.h"
#include "gort/leak/leak.h"
#include "gort/runtime.h"
#include "gort/tests/leak/finding.h"
#include "gort/tests/support/child.h"
#include "gort/timer/sleep.h"
#include "gtest/gtest.h"

namespace gort::leak {
namespace {

GORT_NOINLINE void WaitForNobody() {
  const Chan<int> c = MakeChan<int>();
  Go([c] { c.Recv(); });
}

// Until the kernel says so of the first thread.
void AwaitEndOf(pthread_t first) {
  while (pthread_tryjoin_np(first, nullptr) != 0) Sleep(absl::Milliseconds(1));
}

TEST(Leak, IsFoundWhenTheFirstThreadHasEnded) {
  if (kSanitized) GTEST_SKIP() << "leak.h: not with a sanitizer";
  const testing::ChildResult r = testing::RunInChild([] {
    std::thread([first = pthread_self()] {
      gort::Run([first] {
        AwaitEndOf(first);
        Call(&WaitForNobody);
        Report report = Find();
        // The goroutine may be on its way to where it waits.
        while (report.not_done.empty() && report.leaked.empty()) report = Find();
        fprintf(stderr, "%zu %s\n", report.leaked.size(), report.not_done.c_str());
        _exit(report.leaked.size() == 1 ? 3 : 4);
        return 0;
      });
    }).detach();
    syscall(SYS_exit, 0);  // pthread_exit would unwind through who catches everything
  });
  EXPECT_EQ(r.status, 3) << r.output;
}

}  // namespace
}  // namespace gort::leak
