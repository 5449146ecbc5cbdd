// tests/anycode/scratch_dir.h: a folder for a row's files.
#ifndef GORT_TESTS_ANYCODE_SCRATCH_DIR_H_
#define GORT_TESTS_ANYCODE_SCRATCH_DIR_H_

#include <cstdlib>
#include <filesystem>
#include <string>

#include "gort/tests/anycode/row.h"

namespace anycode {

// A new folder under the test's, or under the system's for temporary files; goes with the object.
class ScratchDir {
 public:
  ScratchDir() {
    const char* parent = std::getenv("TEST_TMPDIR");
    path_ = (parent != nullptr ? parent : std::filesystem::temp_directory_path().string()) +
            "/anycode.XXXXXX";
    Expect(mkdtemp(path_.data()) != nullptr, "mkdtemp");
  }
  ~ScratchDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace anycode

#endif  // GORT_TESTS_ANYCODE_SCRATCH_DIR_H_
