// Debug pages of a program that has no server.
#include "gort/debugpages/debug_pages.h"
#include "gort/runtime.h"
#include "gtest/gtest.h"

TEST(DebugPagesAlone, AnswersWithTheMetrics) {
  gort::Run([] {
    const gort::debugpages::Response page =
        gort::debugpages::DebugPages().Serve({"/debug/metrics", ""});
    EXPECT_EQ(page.status, 200);
    EXPECT_NE(page.body.find("gort_gomaxprocs "), std::string::npos);
    return 0;
  });
}
