#include "gort/trace/internal/sink.h"

#include <unistd.h>

#include <cerrno>

#include "gort/platforms/mem.h"

namespace gort::rt {

bool Sink::Open(int fd) {
  fd_ = fd;
  error_ = 0;
  n_ = 0;
  if (buffer_ == nullptr) buffer_ = static_cast<char*>(MemMap(kBytes, PageSize()));
  return buffer_ != nullptr;
}

void Sink::Flush() {
  for (size_t done = 0; done < n_ && error_ == 0;) {
    const ssize_t k = write(fd_, buffer_ + done, n_ - done);
    if (k > 0) done += static_cast<size_t>(k);
    if (k < 0 && errno != EINTR) error_ = errno;
  }
  n_ = 0;
}

int Sink::Close() {
  if (fd_ < 0) return error_;
  Flush();
  if (close(fd_) != 0 && error_ == 0) error_ = errno;
  fd_ = -1;
  return error_;
}

}  // namespace gort::rt
