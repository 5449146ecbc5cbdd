// debugpages/internal/recording.cc: the page of something that is recorded for some seconds.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string>
#include <string_view>
#include <system_error>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gort/context/cancel_scope.h"
#include "gort/debugpages/debug_pages.h"
#include "gort/runtime.h"

namespace gort::debugpages {
namespace {

constexpr std::string_view kSecondsKey = "seconds=";
constexpr double kDefaultSeconds = 1;
constexpr absl::Duration kLook = absl::Milliseconds(50);  // how often the length is looked at

Response Error(int status, std::string_view text) {
  Response response;
  response.status = status;
  response.body.append(text).append("\n");
  return response;
}

// How long to record, as the query says; 0: it says nothing that can be understood.
double SecondsOf(std::string_view query) {
  if (query.empty()) return kDefaultSeconds;
  if (!query.starts_with(kSecondsKey)) return 0;
  query.remove_prefix(kSecondsKey.size());
  double seconds = 0;
  const char* const end = query.data() + query.size();
  const std::from_chars_result r = std::from_chars(query.data(), end, seconds);
  return r.ec == std::errc() && r.ptr == end ? seconds : 0;
}

bool Allowed(double seconds) { return seconds > 0 && seconds <= kMostRecordedSeconds; }

// A file in memory, which has a path while it is open.
class MemoryFile {
 public:
  MemoryFile() : fd_(memfd_create("gort-recording", MFD_CLOEXEC)), error_(errno) {}
  ~MemoryFile() {
    if (fd_ >= 0) close(fd_);
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  absl::Status status() const {
    return fd_ >= 0 ? absl::OkStatus() : absl::ErrnoToStatus(error_, "memfd_create");
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }
  size_t size() const {
    struct stat s;
    return fstat(fd_, &s) == 0 ? static_cast<size_t>(s.st_size) : 0;
  }
  std::string Contents() const;

 private:
  const int fd_;
  const int error_;
};

std::string MemoryFile::Contents() const {
  std::string bytes(size(), '\0');
  size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t n = pread(fd_, &bytes[have], bytes.size() - have, static_cast<off_t>(have));
    if (n <= 0) break;
    have += static_cast<size_t>(n);
  }
  bytes.resize(have);
  return bytes;
}

// Until the time is over, the file is long enough, or ctx is cancelled.
void Wait(const Context& ctx, absl::Duration span, const MemoryFile& file) {
  const CancelScope end(ctx, span);
  while (end.context().Err().ok() && file.size() < kMostRecordedBytes) {
    const CancelScope look(end.context(), kLook);
    look.context().Done().Recv();
  }
}

Response Refused(const absl::Status& status) {
  const std::string text(status.message());
  if (absl::IsFailedPrecondition(status)) {
    return Error(409, text + "; one recording at a time: try again when the other has ended");
  }
  return Error(500, text);
}

}  // namespace

Response ServeRecording(const Request& request, const Recording& recording) {
  const double seconds = SecondsOf(request.query);
  if (!Allowed(seconds)) {
    const int most = static_cast<int>(kMostRecordedSeconds);
    return Error(400, "want seconds=N, above 0 and at most " + std::to_string(most));
  }
  const MemoryFile file;
  if (!file.status().ok()) return Refused(file.status());
  if (absl::Status begun = recording.start(file.path()); !begun.ok()) return Refused(begun);
  Wait(request.context, absl::Seconds(seconds), file);
  if (absl::Status ended = recording.stop(); !ended.ok()) return Refused(ended);
  Response response;
  response.content_type = recording.content_type;
  response.file_name = recording.file_name;
  response.body = Blocking([&file] { return file.Contents(); });
  return response;
}

}  // namespace gort::debugpages
