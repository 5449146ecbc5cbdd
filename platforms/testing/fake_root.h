// platforms/testing/fake_root.h: a directory that stands for "/", for tests of what reads /proc and /sys.
#ifndef GORT_PLATFORMS_TESTING_FAKE_ROOT_H_
#define GORT_PLATFORMS_TESTING_FAKE_ROOT_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace gort::rt::testing {

class FakeRoot : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* tmp = getenv("TEST_TMPDIR");
    root_ = std::filesystem::path(tmp != nullptr ? tmp : "/tmp") /
            ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(root_);
  }
  void Write(const std::string& path, const std::string& text) {
    std::filesystem::path full = root_.string() + path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full) << text;
  }
  void WriteProc(const std::string& cgroup, const std::string& mountinfo) {
    Write("/proc/self/cgroup", cgroup);
    Write("/proc/self/mountinfo", mountinfo);
  }

  std::filesystem::path root_;
};

}  // namespace gort::rt::testing

#endif  // GORT_PLATFORMS_TESTING_FAKE_ROOT_H_
