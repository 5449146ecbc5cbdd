// gort/os/file.h: files, without stalling other goroutines.
// What      ReadFile and WriteFile for whole files, File for parts. The kernel makes a reader of a
//           file wait without a word; here the processor serves other goroutines meanwhile.
// Layer     12. File is move-only and closes when it is destroyed. Calls may come from anywhere at
//           the same time, Close included, which waits for those in progress.
// Errors    what the kernel says, with absl's code for it: "open /no/such: No such file or
//           directory". kFailedPrecondition "… file already closed": a call after Close.
// Contract  | call     | goroutine | foreign thread | parks | allocates      |
//           | all      |     x     |   blocks it    |   x   | texts, results |
//           A goroutine in a call keeps a thread as long as the kernel takes.
//                                                   Go: os.ReadFile, os.File
#ifndef GORT_OS_FILE_H_
#define GORT_OS_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace gort {
namespace rt {
struct OpenFile;
}  // namespace rt

namespace os {

class File {
 public:
  // No file: calls fail as after Close.
  File();
  File(File&&) noexcept;
  File& operator=(File&&) noexcept;
  ~File();

  // For reading. Go: os.Open
  static absl::StatusOr<File> Open(const std::string& path);
  // For reading and writing; made if it is not there, emptied if it is. Go: os.Create
  static absl::StatusOr<File> Create(const std::string& path, int mode = 0666);
  // flags and mode as of open(2). Go: os.OpenFile
  static absl::StatusOr<File> OpenWith(const std::string& path, int flags, int mode = 0666);

  // At most buf.size() bytes from where the file stands; 0: its end. Go: File.Read
  absl::StatusOr<size_t> Read(absl::Span<char> buf);
  // All of data, or an error; a pipe without a reader is one (EPIPE), and no SIGPIPE comes. Go:
  // File.Write
  absl::StatusOr<size_t> Write(std::string_view data);
  // From and to a place that nobody else's calls move. ReadAt: fewer bytes than buf has mean that
  // the file ends there. WriteAt: kInvalidArgument if the file was opened with O_APPEND.
  // Go: File.ReadAt, File.WriteAt
  absl::StatusOr<size_t> ReadAt(int64_t at, absl::Span<char> buf);
  absl::StatusOr<size_t> WriteAt(int64_t at, std::string_view data);
  absl::StatusOr<int64_t> Size();
  // What was written is on the disk. Go: File.Sync
  absl::Status Sync();
  // A second time is an error. Go: File.Close
  absl::Status Close();

 private:
  explicit File(std::unique_ptr<rt::OpenFile> file);

  std::unique_ptr<rt::OpenFile> file_;
};

// The bytes of a file. Go: os.ReadFile
absl::StatusOr<std::string> ReadFile(const std::string& path);
// Makes the file, or replaces its content. Who reads it meanwhile sees some of it. Go: os.WriteFile
absl::Status WriteFile(const std::string& path, std::string_view data, int mode = 0666);

}  // namespace os
}  // namespace gort

#endif  // GORT_OS_FILE_H_
