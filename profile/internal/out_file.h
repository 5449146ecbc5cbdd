// profile/internal/out_file.h: a file that a profile is written into.
// What      errors are errno values. As system calls of the goroutine, if the caller is one.
// Layer     8.
#ifndef GORT_PROFILE_INTERNAL_OUT_FILE_H_
#define GORT_PROFILE_INTERNAL_OUT_FILE_H_

#include <string>
#include <string_view>

namespace gort::rt {

// Closed at the end.
class OutFile {
 public:
  OutFile() = default;
  OutFile(OutFile&& other) noexcept;
  OutFile& operator=(OutFile&& other) noexcept;
  ~OutFile();

  // Makes or empties the file. 0, or an errno value. Requires: no file is open.
  int Open(const std::string& path);
  // 0, or the errno value of the first that failed.
  int WriteAndClose(std::string_view bytes);

 private:
  int fd_ = -1;
};

// 0, or an errno value. fd stays open.
int WriteAll(int fd, std::string_view bytes);

}  // namespace gort::rt

#endif  // GORT_PROFILE_INTERNAL_OUT_FILE_H_
