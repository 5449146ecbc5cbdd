#include "gort/platforms/cgroup.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "gort/platforms/linux/cgroup_parse.h"

namespace gort::rt {
namespace {

// A path in a fixed buffer. One that does not fit is marked bad, and names nothing from then on.
class Path {
 public:
  explicit Path(const char* root) { Append(root); }

  Path& Append(std::string_view s) { return Took(s.size(), s.data()); }
  Path& AppendUnescaped(std::string_view s) {
    return Took(UnescapeOctal(s, buf_ + n_, sizeof buf_ - n_), nullptr);
  }
  size_t size() const { return n_; }
  void Truncate(size_t n) {
    if (bad_) return;
    n_ = n;
    buf_[n_] = '\0';
  }
  // Cuts the last component off; false when nothing beyond floor bytes is left to cut.
  bool Up(size_t floor) {
    if (bad_ || n_ <= floor) return false;
    do {
      --n_;
    } while (n_ > floor && buf_[n_] != '/');
    buf_[n_] = '\0';
    return true;
  }
  bool Exists() const { return !bad_ && access(buf_, F_OK) == 0; }
  // Opens it for reading; -1 on any failure.
  int Open() const {
    if (bad_) return -1;
    int fd;
    do {
      fd = open(buf_, O_RDONLY | O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    return fd;
  }

 private:
  // n bytes belong at the end, to be copied from `from` unless they are there already.
  Path& Took(size_t n, const char* from) {
    bad_ = bad_ || n >= sizeof buf_ - n_;
    if (bad_) return *this;
    if (from != nullptr) memcpy(buf_ + n_, from, n);
    n_ += n;
    buf_[n_] = '\0';
    return *this;
  }

  char buf_[PATH_MAX];
  size_t n_ = 0;
  bool bad_ = false;
};

ssize_t Read(int fd, char* out, size_t cap) {
  ssize_t n;
  do {
    n = read(fd, out, cap);
  } while (n < 0 && errno == EINTR);
  return n;
}

// Reads a file line by line. Of a line that is longer than the buffer only the beginning is seen.
class LineReader {
 public:
  explicit LineReader(const Path& path) : fd_(path.Open()) {}
  ~LineReader() {
    if (fd_ >= 0) close(fd_);
  }
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // False at the end. The line is good until the next call.
  bool Next(std::string_view* line) {
    bool rest_of_long_line;
    do {
      rest_of_long_line = in_long_line_;
      if (!NextPiece(line)) return false;
    } while (rest_of_long_line);
    return true;
  }

 private:
  // The text up to the next newline, or as much of it as fits.
  bool NextPiece(std::string_view* piece) {
    memmove(buf_, buf_ + next_, end_ - next_);
    end_ -= next_;
    const char* nl;
    do {
      nl = static_cast<const char*>(memchr(buf_, '\n', end_));
    } while (nl == nullptr && end_ < sizeof buf_ && Fill());
    const size_t n = nl != nullptr ? static_cast<size_t>(nl - buf_) : end_;
    next_ = nl != nullptr ? n + 1 : end_;
    in_long_line_ = nl == nullptr;
    *piece = std::string_view(buf_, n);
    return next_ > 0;
  }
  bool Fill() {
    ssize_t n = fd_ < 0 ? 0 : Read(fd_, buf_ + end_, sizeof buf_ - end_);
    if (n <= 0) return false;
    end_ += static_cast<size_t>(n);
    return true;
  }

  int fd_;
  char buf_[4096];
  size_t next_ = 0;  // where the piece after the last one begins
  size_t end_ = 0;
  bool in_long_line_ = false;
};

// The content of a small file; empty when it cannot be read.
std::string_view Slurp(const Path& path, char* out, size_t cap) {
  int fd = path.Open();
  if (fd < 0) return {};
  ssize_t n = Read(fd, out, cap);
  close(fd);
  return n > 0 ? std::string_view(out, static_cast<size_t>(n)) : std::string_view();
}

int64_t Tighter(int64_t a, int64_t b) { return a < b ? a : b; }

// The limit of the one group whose directory is *dir, which is left as it was; INT64_MAX: none.
using LimitAt = int64_t (*)(Path* dir, CgroupVersion version);

int64_t CpusAt(Path* dir, CgroupVersion version) {
  const size_t n = dir->size();
  char a[64], b[64];
  int cpus = 0;
  if (version == CgroupVersion::kV2) {
    cpus = CpusFromCpuMax(Slurp(dir->Append("/cpu.max"), a, sizeof a));
  } else {
    std::string_view quota = Slurp(dir->Append("/cpu.cfs_quota_us"), a, sizeof a);
    dir->Truncate(n);
    cpus = CpusFromCfs(quota, Slurp(dir->Append("/cpu.cfs_period_us"), b, sizeof b));
  }
  dir->Truncate(n);
  return cpus != 0 ? cpus : INT64_MAX;
}

int64_t NumberIn(const Path& path) {
  char text[64];
  int64_t n = CountFromText(Slurp(path, text, sizeof text));
  return n >= 0 ? n : INT64_MAX;
}

int64_t PidsAt(Path* dir, CgroupVersion) {
  const size_t n = dir->size();
  int64_t pids = NumberIn(dir->Append("/pids.max"));
  dir->Truncate(n);
  return pids;
}

// The tightest limit from *dir up to the first floor bytes of it.
int64_t LimitUp(Path* dir, size_t floor, CgroupVersion version, LimitAt limit_at) {
  int64_t limit = INT64_MAX;
  do {
    limit = Tighter(limit, limit_at(dir, version));
  } while (dir->Up(floor));
  return limit;
}

// Makes of *dir, a root, the directory of the group below a mount point; false: it is not there.
// Every group's directory has the file cgroup.procs, and what else is mounted there has none.
bool EnterGroup(Path* dir, std::string_view mount_point, std::string_view group, size_t* floor) {
  *floor = dir->Append(mount_point).size();
  if (group != "/") dir->Append(group);
  const size_t n = dir->size();
  const bool there = dir->Append("/cgroup.procs").Exists();
  dir->Truncate(n);
  return there;
}

// As EnterGroup, for the mount points that are usual: mountinfo is slow to read, 0.05 ms and more.
bool EnterUsualGroup(Path* dir, std::string_view controller, const CgroupMembership& group,
                     size_t* floor) {
  if (group.path.find("/..") != std::string_view::npos) return false;  // outside of what we see
  if (group.version == CgroupVersion::kV1) {
    return EnterGroup(&dir->Append("/sys/fs/cgroup/"), controller, group.path, floor);
  }
  const size_t root = dir->size();
  if (EnterGroup(dir, "/sys/fs/cgroup", group.path, floor)) return true;
  dir->Truncate(root);
  return EnterGroup(dir, "/sys/fs/cgroup/unified", group.path, floor);
}

// The tightest limit from group.path up to the root of the first mount that shows it.
int64_t LimitOfHierarchy(const char* root, std::string_view controller, LimitAt limit_at,
                         const CgroupMembership& group) {
  Path usual(root);
  size_t usual_floor;
  if (EnterUsualGroup(&usual, controller, group, &usual_floor)) {
    return LimitUp(&usual, usual_floor, group.version, limit_at);
  }
  Path dir(root);
  LineReader mounts(dir.Append("/proc/self/mountinfo"));
  std::string_view line;
  while (mounts.Next(&line)) {
    CgroupMount mount = ParseMountinfoLine(line, controller);
    if (mount.version != group.version) continue;
    char mount_root[512];
    size_t n = UnescapeOctal(mount.root, mount_root, sizeof mount_root);
    std::string_view below;
    if (n > sizeof mount_root || !CgroupBelow(group.path, {mount_root, n}, &below)) continue;

    dir.Truncate(strlen(root));
    const size_t floor = dir.AppendUnescaped(mount.mount_point).size();
    dir.Append(below);
    return LimitUp(&dir, floor, group.version, limit_at);
  }
  return INT64_MAX;
}

// Of all hierarchies.
int64_t LimitOf(const char* root, std::string_view controller, LimitAt limit_at) {
  const int saved = errno;
  Path path(root);
  LineReader groups(path.Append("/proc/self/cgroup"));
  std::string_view line;
  int64_t limit = INT64_MAX;
  while (groups.Next(&line)) {
    CgroupMembership group = ParseCgroupLine(line, controller);
    if (group.version == CgroupVersion::kNone) continue;
    limit = Tighter(limit, LimitOfHierarchy(root, controller, limit_at, group));
  }
  errno = saved;
  return limit;
}

}  // namespace

int CgroupCpus(const char* root) {
  const int64_t cpus = LimitOf(root, "cpu", &CpusAt);
  return cpus == INT64_MAX ? 0 : static_cast<int>(cpus);
}

int64_t CgroupPids(const char* root) { return LimitOf(root, "pids", &PidsAt); }

int64_t SystemThreads(const char* root) {
  const int saved = errno;
  const int64_t n = NumberIn(Path(root).Append("/proc/sys/kernel/threads-max"));
  errno = saved;
  return n;
}

}  // namespace gort::rt
