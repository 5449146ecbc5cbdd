#include "gort/profile/internal/out_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "gort/proc/on_goroutine.h"

namespace gort::rt {

OutFile::OutFile(OutFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
OutFile& OutFile::operator=(OutFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}
OutFile::~OutFile() {
  if (fd_ >= 0) close(fd_);
}

int OutFile::Open(const std::string& path) {
  return InSyscall([this, &path] {
    fd_ = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return fd_ < 0 ? errno : 0;
  });
}

int OutFile::WriteAndClose(std::string_view bytes) {
  const int error = WriteAll(fd_, bytes);
  const int fd = std::exchange(fd_, -1);
  const int at_close = InSyscall([fd] { return close(fd) == 0 ? 0 : errno; });
  return error != 0 ? error : at_close;
}

int WriteAll(int fd, std::string_view bytes) {
  return InSyscall([fd, bytes] {
    for (size_t done = 0; done < bytes.size();) {
      const ssize_t k = write(fd, bytes.data() + done, bytes.size() - done);
      if (k > 0) done += static_cast<size_t>(k);
      if (k == 0) return EIO;
      if (k < 0 && errno != EINTR) return errno;
    }
    return 0;
  });
}

}  // namespace gort::rt
