// A trace of a program that uses nothing else.
#include "gort/trace/trace.h"

#include <sys/stat.h>

#include <string>

#include "gort/runtime.h"
#include "gtest/gtest.h"

TEST(TraceAlone, MakesAFile) {
  const std::string path = ::testing::TempDir() + "/alone.trace";
  gort::Run([&] {
    EXPECT_TRUE(gort::trace::Start(path).ok());
    {
      gort::trace::Region region("work");
      gort::Gosched();
    }
    EXPECT_TRUE(gort::trace::Stop().ok());
    return 0;
  });
  struct stat st = {};
  ASSERT_EQ(stat(path.c_str(), &st), 0);
  EXPECT_GT(st.st_size, 100);
}
