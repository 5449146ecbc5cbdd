#include "gort/os/internal/file_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "gort/platforms/signal.h"
#include "gort/proc/proc.h"

namespace gort::rt {
namespace {

// Calls f outside of the P until it is not interrupted. errno is read before the goroutine may go
// on on another thread.
template <class F>
auto Outside(F f) -> decltype(f()) {
  EnterSyscall();
  decltype(f()) n;
  do {
    n = f();
    if (n < 0) n = -errno;
  } while (n == -EINTR);
  ExitSyscall();
  return n;
}

}  // namespace

int FileOpen(const char* path, int flags, mode_t mode) {
  return Outside([=] { return open(path, flags | O_CLOEXEC, mode); });
}

ssize_t FileRead(int fd, void* buf, size_t n, int64_t at) {
  return Outside([=] { return at == kFileHere ? read(fd, buf, n) : pread(fd, buf, n, at); });
}

ssize_t FileWrite(int fd, const void* buf, size_t n, int64_t at) {
  return Outside([=] { return at == kFileHere ? write(fd, buf, n) : pwrite(fd, buf, n, at); });
}

bool FileIsPipe(int fd) {
  struct stat about {};
  return fstat(fd, &about) == 0 && (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode));
}

ssize_t PipeWrite(int fd, const void* buf, size_t n) {
  return Outside([=] {
    SigPipeBlock block;
    const ssize_t written = write(fd, buf, n);
    if (written < 0 && errno == EPIPE) block.TakeAway();
    return written;
  });
}

int64_t FileSize(int fd) {
  struct stat about {};
  const int error = Outside([&] { return fstat(fd, &about); });
  return error < 0 ? error : about.st_size;
}

int FileSync(int fd) {
  return Outside([=] { return fsync(fd); });
}

// Not repeated after EINTR: the descriptor is gone then, too.
int FileClose(int fd) {
  EnterSyscall();
  const int error = close(fd) == 0 || errno == EINTR ? 0 : -errno;
  ExitSyscall();
  return error;
}

}  // namespace gort::rt
