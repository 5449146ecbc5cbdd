#include "gort/apps/respd/disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace respd {

int Disk::Append(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = write(fd, data.data(), data.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    data.remove_prefix(static_cast<size_t>(n));
  }
  return 0;
}

int Disk::Sync(int fd) { return fdatasync(fd) == 0 ? 0 : errno; }

int Disk::Truncate(int fd, int64_t size) { return ftruncate(fd, size) == 0 ? 0 : errno; }

int Disk::Reserve(int fd, int64_t size, int64_t bytes) {
  if (fallocate(fd, FALLOC_FL_KEEP_SIZE, size, bytes) == 0) return 0;
  return errno == EOPNOTSUPP || errno == ENOSYS ? 0 : errno;  // nobody knows beforehand
}

int Disk::Rename(int dir_fd, const char* from, const char* to) {
  return renameat(dir_fd, from, dir_fd, to) == 0 ? 0 : errno;
}

int Disk::SyncDir(int dir_fd) { return fsync(dir_fd) == 0 ? 0 : errno; }

Disk* Disk::Real() {
  static Disk disk;
  return &disk;
}

}  // namespace respd
