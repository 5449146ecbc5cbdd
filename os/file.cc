#include "gort/os/file.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <shared_mutex>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "gort/os/internal/file_io.h"
#include "gort/sync/rwmutex.h"

namespace gort {

// A descriptor and its name. Calls hold the lock for reading, Close for writing.
struct rt::OpenFile {
  OpenFile(int descriptor, std::string name, int flags)
      : fd(descriptor),
        path(std::move(name)),
        is_pipe(FileIsPipe(descriptor)),
        appends((flags & O_APPEND) != 0) {}
  RWMutex mu;
  int fd ABSL_GUARDED_BY(mu);  // -1: closed
  const std::string path;
  const bool is_pipe;
  const bool appends;  // the kernel writes at the end, whatever place it is given
};

namespace os {
namespace {

absl::Status Failed(const char* op, const std::string& path, int64_t error) {
  const int code = static_cast<int>(-error);
  const char* text = strerrordesc_np(code);
  return absl::Status(absl::ErrnoToStatusCode(code),
                      std::string(op) + ' ' + path + ": " + (text != nullptr ? text : "?"));
}

absl::Status Closed(const char* op, const rt::OpenFile* file) {
  return absl::FailedPreconditionError(
      std::string(op) + ' ' + (file != nullptr ? file->path + ": " : "") + "file already closed");
}

// f(fd), which may fail with a negative errno value, with the file held open.
template <class F>
absl::StatusOr<int64_t> With(rt::OpenFile* file, const char* op,
                             F f) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (file == nullptr) return Closed(op, file);
  std::shared_lock<RWMutex> l(file->mu);
  if (file->fd < 0) return Closed(op, file);
  const int64_t n = f(file->fd);
  if (n < 0) return Failed(op, file->path, n);
  return n;
}

absl::StatusOr<size_t> AsSize(const absl::StatusOr<int64_t>& n) {
  if (!n.ok()) return n.status();
  return static_cast<size_t>(*n);
}

// Moves bytes by f(done), which says how many it moved, until `all` are or f moves none.
template <class F>
int64_t Whole(size_t all, F f) {
  size_t done = 0;
  while (done < all) {
    const ssize_t n = f(done);
    if (n < 0) return n;
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return static_cast<int64_t>(done);
}

absl::StatusOr<size_t> WriteWhole(rt::OpenFile* file, int64_t at, std::string_view data) {
  return AsSize(With(file, "write", [&](int fd) {
    const int64_t n = Whole(data.size(), [&](size_t done) {
      if (file->is_pipe && at == rt::kFileHere) {
        return rt::PipeWrite(fd, data.data() + done, data.size() - done);
      }
      const int64_t to = at == rt::kFileHere ? at : at + static_cast<int64_t>(done);
      return rt::FileWrite(fd, data.data() + done, data.size() - done, to);
    });
    return n >= 0 && static_cast<size_t>(n) < data.size() ? -EIO : n;
  }));
}

absl::Status Negative(const char* op, int64_t at) {
  return absl::InvalidArgumentError(std::string(op) + ": negative offset " + std::to_string(at));
}

}  // namespace

File::File(std::unique_ptr<rt::OpenFile> file) : file_(std::move(file)) {}
File::File() = default;
File::File(File&&) noexcept = default;
File& File::operator=(File&& other) noexcept {
  File old(std::exchange(file_, std::move(other.file_)));
  return *this;
}
File::~File() {
  if (file_ != nullptr) Close().IgnoreError();
}

absl::StatusOr<File> File::Open(const std::string& path) { return OpenWith(path, O_RDONLY); }

absl::StatusOr<File> File::Create(const std::string& path, int mode) {
  return OpenWith(path, O_RDWR | O_CREAT | O_TRUNC, mode);
}

absl::StatusOr<File> File::OpenWith(const std::string& path, int flags, int mode) {
  if (path.find('\0') != path.npos) return Failed("open", path, -EINVAL);
  const int fd = rt::FileOpen(path.c_str(), flags, static_cast<mode_t>(mode));
  if (fd < 0) return Failed("open", path, fd);
  return File(std::make_unique<rt::OpenFile>(fd, path, flags));
}

absl::StatusOr<size_t> File::Read(absl::Span<char> buf) {
  return AsSize(With(file_.get(), "read", [&](int fd) {
    return int64_t{rt::FileRead(fd, buf.data(), buf.size(), rt::kFileHere)};
  }));
}

absl::StatusOr<size_t> File::Write(std::string_view data) {
  return WriteWhole(file_.get(), rt::kFileHere, data);
}

absl::StatusOr<size_t> File::ReadAt(int64_t at, absl::Span<char> buf) {
  if (at < 0) return Negative("read", at);
  return AsSize(With(file_.get(), "read", [&](int fd) {
    return Whole(buf.size(), [&](size_t done) {
      return rt::FileRead(fd, buf.data() + done, buf.size() - done,
                          at + static_cast<int64_t>(done));
    });
  }));
}

absl::StatusOr<size_t> File::WriteAt(int64_t at, std::string_view data) {
  if (at < 0) return Negative("write", at);
  if (file_ != nullptr && file_->appends) {
    return absl::InvalidArgumentError("write " + file_->path + ": WriteAt with O_APPEND");
  }
  return WriteWhole(file_.get(), at, data);
}

absl::StatusOr<int64_t> File::Size() {
  return With(file_.get(), "stat", [](int fd) { return rt::FileSize(fd); });
}

absl::Status File::Sync() {
  return With(file_.get(), "sync", [](int fd) { return int64_t{rt::FileSync(fd)}; }).status();
}

absl::Status File::Close() {
  if (file_ == nullptr) return Closed("close", nullptr);
  file_->mu.Lock();
  const int fd = file_->fd;
  file_->fd = -1;
  file_->mu.Unlock();
  if (fd < 0) return Closed("close", file_.get());
  const int error = rt::FileClose(fd);
  return error == 0 ? absl::OkStatus() : Failed("close", file_->path, error);
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  absl::StatusOr<File> file = File::Open(path);
  if (!file.ok()) return file.status();
  absl::StatusOr<int64_t> size = file->Size();
  if (!size.ok()) return size.status();
  // Files of /proc say 0, and any file may grow meanwhile: it is read to its end.
  constexpr size_t kStep = 4096;
  std::string all;
  size_t have = 0;
  for (;;) {
    if (have == all.size()) all.resize(have == 0 ? static_cast<size_t>(*size) + kStep : 2 * have);
    absl::StatusOr<size_t> n = file->Read(absl::MakeSpan(&all[have], all.size() - have));
    if (!n.ok()) return n.status();
    if (*n == 0) break;
    have += *n;
  }
  all.resize(have);
  return all;
}

absl::Status WriteFile(const std::string& path, std::string_view data, int mode) {
  absl::StatusOr<File> file = File::OpenWith(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
  if (!file.ok()) return file.status();
  absl::Status written = file->Write(data).status();
  absl::Status closed = file->Close();
  return written.ok() ? closed : written;
}

}  // namespace os
}  // namespace gort
