#include "gort/apps/respd/log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "gort/runtime.h"

namespace respd {
namespace {

constexpr char kName[] = "respd.log";
constexpr char kNewName[] = "respd.log.new";
// A disk without room for so much is full: the first client that writes would find out.
constexpr int64_t kRoom = 64 << 10;
// A rewrite writes so much at once.
constexpr size_t kFlush = 1 << 20;
constexpr size_t kHead = 12;
constexpr uint32_t kMaxRecord = 512 << 20;
// The length field of a mark. No record is so long.
constexpr uint32_t kMarkBit = 1u << 31;
constexpr uint32_t kMarkLength = kMarkBit | 8;
constexpr size_t kMark = kHead + 8;

// CRC-32 (IEEE 802.3), a byte at a time.
uint32_t Crc32(std::string_view data) {
  static constexpr std::array<uint32_t, 256> kTable = [] {
    std::array<uint32_t, 256> t{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = (c & 1) != 0 ? 0xedb88320u ^ (c >> 1) : c >> 1;
      t[i] = c;
    }
    return t;
  }();
  uint32_t c = ~0u;
  for (char b : data) c = kTable[(c ^ static_cast<unsigned char>(b)) & 0xff] ^ (c >> 8);
  return ~c;
}

void PutU32(std::string* out, uint32_t v) {
  for (int i = 0; i < 4; ++i) *out += static_cast<char>(v >> (8 * i));
}

uint32_t GetU32(const char* p) {
  uint32_t v = 0;
  for (int i = 0; i < 4; ++i) v |= uint32_t{static_cast<unsigned char>(p[i])} << (8 * i);
  return v;
}

uint64_t GetU64(const char* p) { return GetU32(p) | uint64_t{GetU32(p + 4)} << 32; }

void PutRecord(std::string* out, uint32_t length, std::string_view record) {
  std::string head;
  PutU32(&head, length);
  PutU32(&head, Crc32(record));
  PutU32(&head, Crc32(head));
  out->append(head).append(record);
}

void PutRecord(std::string* out, std::string_view record) {
  PutRecord(out, static_cast<uint32_t>(record.size()), record);
}

// The mark that stands at this place.
std::string Mark(int64_t at) {
  std::string place;
  PutU32(&place, static_cast<uint32_t>(at));
  PutU32(&place, static_cast<uint32_t>(at >> 32));
  std::string mark;
  PutRecord(&mark, kMarkLength, place);
  return mark;
}

absl::Status Failed(const std::string& what, const std::string& path, int error) {
  return absl::UnavailableError("cannot " + what + ' ' + path + ": " + strerrordesc_np(error));
}

// Up to n bytes, fewer only at the end of the file; -errno.
ssize_t ReadFully(int fd, char* out, size_t n) {
  size_t have = 0;
  while (have < n) {
    const ssize_t got = read(fd, out + have, n - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  return static_cast<ssize_t>(have);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Log>> Log::Open(const std::string& dir,
                                               const std::function<bool(std::string_view)>& replay,
                                               int64_t* torn, Disk* disk) {
  const int dir_fd = open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir_fd < 0) return Failed("open directory", dir, errno);
  // The directory is locked and not the file, because Rewrite replaces the file: a process that
  // opened the file before it got the lock could hold the old one.
  if (flock(dir_fd, LOCK_EX | LOCK_NB) != 0) {
    close(dir_fd);
    return absl::UnavailableError(dir + " is in use by another respd");
  }
  const std::string path = dir + '/' + kName;
  int error = 0;
  int fd = openat(dir_fd, kName, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) {
    error = errno;
    fd = openat(dir_fd, kName, O_RDONLY | O_CLOEXEC);
  }
  if (fd < 0) {
    close(dir_fd);
    return Failed("write", path, error);
  }
  std::unique_ptr<Log> log(new Log(path, dir_fd, fd, disk));
  if (error != 0) log->read_only_ = std::string(Failed("write", path, error).message());
  if (absl::Status s = log->Load(replay, torn); !s.ok()) return s;
  return log;
}

Log::~Log() {
  if (new_fd_ >= 0) close(new_fd_);
  close(fd_);
  close(dir_fd_);
}

absl::Status Log::Load(const std::function<bool(std::string_view)>& replay, int64_t* torn) {
  struct stat st;
  if (fstat(fd_, &st) != 0) return Failed("look at", path_, errno);
  int64_t good = 0;
  bool ends_with_mark = false;
  if (absl::Status s = Replay(replay, st.st_size, &good, &ends_with_mark); !s.ok()) return s;
  *torn = st.st_size - good;
  size_ = good;
  if (!read_only_.empty()) return absl::OkStatus();
  const int error = MakeWritable(good, *torn > 0, ends_with_mark);
  if (error != 0) read_only_ = std::string(Failed("write", path_, error).message());
  return absl::OkStatus();
}

// Cuts off what was torn, and begins a new write. 0 or an errno value.
int Log::MakeWritable(int64_t good, bool cut, bool ends_with_mark) {
  int error = cut ? disk_->Truncate(fd_, good) : 0;
  if (error == 0) error = disk_->Reserve(fd_, good, kRoom);
  // A killed process may have left records that it had not synced. From now on they count as
  // durable.
  if (error == 0) error = disk_->Sync(fd_);
  if (error == 0 && !ends_with_mark) {
    error = disk_->Append(fd_, Mark(good));
    if (error == 0) error = disk_->Sync(fd_);
    if (error == 0) size_ = good + static_cast<int64_t>(kMark);
  }
  return error != 0 ? error : disk_->SyncDir(dir_fd_);
}

// *good: where the good records end.
absl::Status Log::Replay(const std::function<bool(std::string_view)>& replay, int64_t end,
                         int64_t* good_end, bool* ends_with_mark) {
  int64_t& at = *good_end;
  bool marked = false;              // there was a mark
  bool& is_mark = *ends_with_mark;  // the last good record
  std::string record;
  auto corrupt = [&] {
    return absl::DataLossError(path_ + " is damaged at byte " + std::to_string(at) +
                               ", before its end; move it away, or cut it off there");
  };
  while (at < end) {
    char head[kHead];
    const ssize_t got = ReadFully(fd_, head, kHead);
    if (got < 0) return Failed("read", path_, static_cast<int>(-got));
    if (got < static_cast<ssize_t>(kHead)) break;
    const uint32_t length = GetU32(head);
    bool good =
        Crc32({head, 8}) == GetU32(head + 8) && (length <= kMaxRecord || length == kMarkLength);
    int64_t next = at;
    if (good) {
      record.resize(length & ~kMarkBit);
      next = at + static_cast<int64_t>(kHead + record.size());
      if (next > end) break;
      const ssize_t n = ReadFully(fd_, record.data(), record.size());
      if (n < 0) return Failed("read", path_, static_cast<int>(-n));
      if (static_cast<size_t>(n) != record.size()) break;
      good = Crc32(record) == GetU32(head + 4);
    }
    if (!good) {
      // No record is as short as a mark.
      if (next == end || end - at <= static_cast<int64_t>(kMark)) break;
      bool was_durable = !marked;
      if (const int error = marked ? FindMark(at, end, &was_durable) : 0; error != 0) {
        return Failed("read", path_, error);
      }
      if (!was_durable) break;
      return corrupt();
    }
    is_mark = length == kMarkLength;
    if (is_mark ? GetU64(record.data()) != static_cast<uint64_t>(at) : !replay(record)) {
      return corrupt();
    }
    marked = marked || is_mark;
    at = next;
  }
  return absl::OkStatus();
}

int Log::FindMark(int64_t at, int64_t end, bool* found) const {
  const std::string length = Mark(0).substr(0, 4);
  std::string buffer(1 << 20, '\0');
  *found = false;
  while (at + static_cast<int64_t>(kMark) <= end) {
    const ssize_t n = pread(fd_, buffer.data(), buffer.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    const std::string_view got(buffer.data(), static_cast<size_t>(n));
    if (got.size() < kMark) break;
    for (size_t i = got.find(length); i != got.npos; i = got.find(length, i + 1)) {
      if (got.substr(i, kMark) == Mark(at + static_cast<int64_t>(i))) {
        *found = true;
        return 0;
      }
    }
    at += static_cast<int64_t>(got.size() - kMark + 1);  // a mark may begin at the buffer's end
  }
  return 0;
}

absl::Status Log::BeginRewrite() {
  new_fd_ = openat(dir_fd_, kNewName, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (new_fd_ < 0) return Failed("write", path_ + ".new", errno);
  new_size_ = 0;
  mu_.Lock();
  rewriting_ = true;
  mu_.Unlock();
  return absl::OkStatus();
}

void Log::Rewrite(std::string_view record) {
  mu_.Lock();
  PutRecord(&tail_, record);
  mu_.Unlock();
}

absl::Status Log::FlushRewrite(bool all) {
  std::string writing;
  mu_.Lock();
  if (all || tail_.size() >= kFlush) writing.swap(tail_);
  mu_.Unlock();
  const int error = gort::Blocking([&] {
    const int e = disk_->Append(new_fd_, writing);
    return e == 0 && all ? disk_->Sync(new_fd_) : e;
  });
  new_size_ += static_cast<int64_t>(writing.size());
  return error == 0 ? absl::OkStatus() : Failed("write", path_ + ".new", error);
}

absl::Status Log::FinishRewrite() {
  mu_.Lock();
  handover_ = Handover::kWanted;
  work_.Signal();
  while (handover_ != Handover::kDone && failure_.empty()) done_.Wait();
  const int error = failure_.empty() ? handover_error_ : EIO;
  handover_ = Handover::kNone;
  mu_.Unlock();
  if (error == 0) return absl::OkStatus();
  AbandonRewrite();
  return Failed("write", path_ + ".new", error);
}

void Log::AbandonRewrite() {
  mu_.Lock();
  EndRewrite();
  mu_.Unlock();
  if (new_fd_ < 0) return;  // it has the old one's place
  close(std::exchange(new_fd_, -1));
  unlinkat(dir_fd_, kNewName, 0);
}

// Requires mu_.
void Log::EndRewrite() {
  rewriting_ = false;
  tail_.clear();
  tail_.shrink_to_fit();
}

uint64_t Log::Append(std::string_view record) {
  mu_.Lock();
  if (queue_.empty()) queue_.resize(kMark);  // for the mark, whose place Run knows
  PutRecord(&queue_, record);
  if (rewriting_) PutRecord(&tail_, record);
  queued_ = ++appended_;
  mu_.Unlock();
  return appended_;
}

bool Log::WaitDurable(uint64_t place) {
  mu_.Lock();
  if (durable_ < place) work_.Signal();
  while (durable_ < place && failure_.empty()) done_.Wait();
  const bool ok = durable_ >= place;
  mu_.Unlock();
  return ok;
}

// The records of the queue, behind the file's. 0 or an errno value.
int Log::WriteQueued(std::string* writing) {
  if (writing->empty()) return 0;
  writing->replace(0, kMark, Mark(size_));
  const int error = gort::Blocking([&] {
    const int e = disk_->Append(fd_, *writing);
    return e != 0 ? e : disk_->Sync(fd_);
  });
  size_ += static_cast<int64_t>(writing->size());
  writing->clear();
  return error;
}

// The new log gets its last records, which those of the queue are among, and the old one's place.
// *replaced: it may have got that, whatever else went wrong. 0 or an errno value.
int Log::TakeOver(const std::string& tail, bool* replaced) {
  const std::string last = tail + Mark(new_size_ + static_cast<int64_t>(tail.size()));
  return gort::Blocking([&] {
    int error = disk_->Append(new_fd_, last);
    if (error == 0) error = disk_->Sync(new_fd_);
    if (error != 0) return error;
    error = disk_->Rename(dir_fd_, kNewName, kName);
    *replaced = error == 0;
    return error == 0 ? disk_->SyncDir(dir_fd_) : error;
  });
}

void Log::Run() {
  std::string writing;
  mu_.Lock();
  for (;;) {
    while (queue_.empty() && !stop_ && handover_ != Handover::kWanted) work_.Wait();
    const bool take_over = handover_ == Handover::kWanted;
    if ((queue_.empty() && !take_over) || !failure_.empty()) break;
    writing.swap(queue_);
    const uint64_t last = queued_;
    std::string tail;
    if (take_over) {
      // Appended later, a record is in the queue alone, and so goes behind these.
      tail.swap(tail_);
      EndRewrite();
    }
    mu_.Unlock();
    int error = 0;
    bool replaced = false;
    if (take_over) {
      handover_error_ = TakeOver(tail, &replaced);
      if (replaced) {
        error = handover_error_;
        close(std::exchange(fd_, std::exchange(new_fd_, -1)));
        size_ = new_size_ + static_cast<int64_t>(tail.size() + kMark);
        writing.clear();
      }
    }
    if (error == 0) error = WriteQueued(&writing);
    mu_.Lock();
    // After a failed fsync nobody knows what is on the disk: nothing is acknowledged any more.
    if (error != 0) {
      failure_ = "cannot write " + path_ + ": " + strerrordesc_np(error);
    } else {
      durable_ = last;
    }
    if (take_over) handover_ = Handover::kDone;
    done_.Broadcast();
  }
  mu_.Unlock();
}

void Log::Stop() {
  mu_.Lock();
  stop_ = true;
  work_.Signal();
  mu_.Unlock();
}

std::string Log::Failure() {
  mu_.Lock();
  std::string failure = failure_;
  mu_.Unlock();
  return failure;
}

}  // namespace respd
