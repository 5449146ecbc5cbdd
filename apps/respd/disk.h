// apps/respd/disk.h: what the log does to its files, as something that a test can stand in for.
// What      the calls that change files, and those that make changes last. All of them block.
// Errors    0 or an errno value.
#ifndef GORT_APPS_RESPD_DISK_H_
#define GORT_APPS_RESPD_DISK_H_

#include <cstdint>
#include <string_view>

namespace respd {

class Disk {
 public:
  virtual ~Disk() = default;
  // All of data, at the end of the file.
  virtual int Append(int fd, std::string_view data);
  // What was written to the file is on the disk.
  virtual int Sync(int fd);
  virtual int Truncate(int fd, int64_t size);
  // ENOSPC and its kin: there is no room for so many bytes behind `size`.
  virtual int Reserve(int fd, int64_t size, int64_t bytes);
  // Puts a file of the directory in another's place.
  virtual int Rename(int dir_fd, const char* from, const char* to);
  // The names of the directory's files are on the disk.
  virtual int SyncDir(int dir_fd);

  // The operating system's.
  static Disk* Real();
};

}  // namespace respd

#endif  // GORT_APPS_RESPD_DISK_H_
