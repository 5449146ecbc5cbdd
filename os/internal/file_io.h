// os/internal/file_io.h: the seam through which files are read and written.
// What      one function for each operation, complete when it returns. Today each is a system call
//           that blocks the thread while the P serves others. An io_uring can stand behind the same
//           functions: the caller would park instead, and nothing above this file would change.
// Layer     12, used by os only.                          Go: poll.FD, of files
// Contract  any goroutine or foreign thread; results as of the system calls, errors as negative
//           errno values. Interrupted calls are made again.
#ifndef GORT_OS_INTERNAL_FILE_IO_H_
#define GORT_OS_INTERNAL_FILE_IO_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace gort::rt {

// Of FileRead and FileWrite: where the file stands, which moves on.
inline constexpr int64_t kFileHere = -1;

// A descriptor that exec closes.
int FileOpen(const char* path, int flags, mode_t mode);
// Fewer bytes than n also in the middle of a file; 0: its end.
ssize_t FileRead(int fd, void* buf, size_t n, int64_t at);
ssize_t FileWrite(int fd, const void* buf, size_t n, int64_t at);
// Whether a write may find that its reader has gone: a pipe. Such a write fails with EPIPE by
// PipeWrite, where FileWrite would have the process get SIGPIPE.
bool FileIsPipe(int fd);
ssize_t PipeWrite(int fd, const void* buf, size_t n);
int64_t FileSize(int fd);
int FileSync(int fd);
// The descriptor is gone, whatever comes back.
int FileClose(int fd);

}  // namespace gort::rt

#endif  // GORT_OS_INTERNAL_FILE_IO_H_
