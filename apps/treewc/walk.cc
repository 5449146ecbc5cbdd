#include "gort/apps/treewc/walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "gort/runtime.h"

namespace treewc {
namespace {

// As find has it (gnulib's fts): entries come as the kernel gives them, in batches of 100,000, and
// a batch of more than 10,000 is sorted by inode, where the order on the disk matters.
constexpr size_t kBatch = 100'000;
constexpr size_t kSortFrom = 10'001;
constexpr size_t kReadBytes = 64 << 10;

struct Entry {
  std::string name;
  ino64_t inode;
  unsigned char type;
};

// The result of a system call: its value, or -1 and errno. errno is read inside Blocking, because
// the goroutine may be on another thread when Blocking returns.
struct Result {
  int value;
  int error;
};
template <class F>
Result Call(F f) {
  return gort::Blocking([&] {
    int value = f();
    return Result{value, value < 0 ? errno : 0};
  });
}

constexpr int kDirFlags = O_RDONLY | O_DIRECTORY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;

struct Level {
  std::shared_ptr<OpenDir> dir;  // null: closed for the time being
  DirName name;
  std::vector<Entry> entries;
  size_t next = 0;
  bool all_read = false;
  dev_t device = 0;
  ino_t inode = 0;
};

bool SortIsOfUse(int fd) {
  struct statfs fs;
  if (fstatfs(fd, &fs) != 0) return true;
  constexpr uint32_t kCifs = 0xff534d42;
  const auto type = static_cast<uint32_t>(fs.f_type);
  return type != TMPFS_MAGIC && type != NFS_SUPER_MAGIC && type != kCifs;
}

class Walker {
 public:
  explicit Walker(const WalkCallbacks& callbacks)
      : callbacks_(callbacks), buffer_(kReadBytes / sizeof(uint64_t)) {}

  void Root(const std::string& root) {
    FilePlace place{nullptr, {}, root};
    struct stat st;
    Result r = Call([&] { return fstatat(AT_FDCWD, root.c_str(), &st, AT_SYMLINK_NOFOLLOW); });
    if (r.value < 0) {
      callbacks_.failed(place, "look at", r.error);
      return;
    }
    Visit(std::move(place), IFTODT(st.st_mode));
    while (!levels_.empty()) Step();
  }

 private:
  void Visit(FilePlace place, unsigned char type) {
    if (type == DT_UNKNOWN) {
      struct stat st;
      Result r = Call(
          [&] { return fstatat(place.dir_fd(), place.name.c_str(), &st, AT_SYMLINK_NOFOLLOW); });
      if (r.value < 0) {
        callbacks_.failed(place, "look at", r.error);
        return;
      }
      type = IFTODT(st.st_mode);
    }
    if (type == DT_REG) {
      callbacks_.file(std::move(place));
    } else if (type == DT_DIR) {
      Descend(std::move(place));
    }
  }

  void Descend(FilePlace place) {
    struct stat st;
    Result r = Call([&] {
      int fd = openat(place.dir_fd(), place.name.c_str(), kDirFlags | O_NOFOLLOW);
      if (fd >= 0 && fstat(fd, &st) != 0) st = {};
      return fd;
    });
    if (r.value < 0) {
      callbacks_.failed(place, "open directory", r.error);
      return;
    }
    Level level;
    level.dir = std::make_shared<OpenDir>(r.value);
    level.name = DirName(std::move(place.dir_name), std::move(place.name));
    level.device = st.st_dev;
    level.inode = st.st_ino;
    levels_.push_back(std::move(level));
    if (levels_.size() > kOpenLevels) {
      Level& far = levels_[levels_.size() - kOpenLevels - 1];
      if (far.all_read) far.dir = nullptr;
    }
  }

  // Visits one entry of the deepest directory; after the last it goes up.
  void Step() {
    Level& level = levels_.back();
    if (level.next == level.entries.size() && !level.all_read) ReadBatch(&level);
    if (level.next == level.entries.size()) {
      Ascend();
      return;
    }
    Entry& entry = level.entries[level.next++];
    const unsigned char type = entry.type;
    Visit(FilePlace{level.dir, level.name, std::move(entry.name)}, type);
  }

  void Ascend() {
    const Level done = std::move(levels_.back());
    levels_.pop_back();
    if (levels_.empty() || levels_.back().dir != nullptr) return;
    Level& up = levels_.back();
    struct stat st = {};
    Result r = Call([&] {
      int fd = openat(done.dir->fd(), "..", kDirFlags);
      if (fd >= 0) fstat(fd, &st);
      return fd;
    });
    if (r.value >= 0) {
      auto dir = std::make_shared<OpenDir>(r.value);
      if (st.st_dev == up.device && st.st_ino == up.inode) {
        up.dir = std::move(dir);
        return;
      }
      r.error = ESTALE;
    }
    // A directory was moved while we were in it. There is no way back to the levels that are
    // closed.
    for (; !levels_.empty() && levels_.back().dir == nullptr; levels_.pop_back()) {
      const Level& lost = levels_.back();
      if (lost.next == lost.entries.size()) continue;
      callbacks_.failed(FilePlace{nullptr, lost.name, ""}, "return to directory", r.error);
    }
  }

  void ReadBatch(Level* level) {
    level->entries.clear();
    level->next = 0;
    while (level->entries.size() < kBatch && !level->all_read) {
      const int fd = level->dir->fd();
      Result r = Call([&] { return static_cast<int>(getdents64(fd, buffer_.data(), kReadBytes)); });
      if (r.value < 0) {
        callbacks_.failed(FilePlace{nullptr, level->name, ""}, "read directory", r.error);
      }
      if (r.value <= 0) level->all_read = true;
      AddEntries(level, r.value);
    }
    if (level->entries.size() >= kSortFrom && SortIsOfUse(level->dir->fd())) {
      std::stable_sort(level->entries.begin(), level->entries.end(),
                       [](const Entry& a, const Entry& b) { return a.inode < b.inode; });
    }
  }

  void AddEntries(Level* level, int bytes) {
    for (int at = 0; at < bytes;) {
      const void* entry = reinterpret_cast<const char*>(buffer_.data()) + at;
      const auto* d = static_cast<const dirent64*>(entry);
      at += d->d_reclen;
      if (std::strcmp(d->d_name, ".") == 0 || std::strcmp(d->d_name, "..") == 0) continue;
      level->entries.push_back(Entry{d->d_name, d->d_ino, d->d_type});
    }
  }

  const WalkCallbacks& callbacks_;
  std::vector<uint64_t> buffer_;  // aligned for dirent64
  std::vector<Level> levels_;
};

}  // namespace

OpenDir::~OpenDir() { close(fd_); }

// Not recursive: a tree may be deeper than a stack.
DirName::~DirName() {
  for (Node* n = node_; n != nullptr && n->refs.fetch_sub(1, std::memory_order_acq_rel) == 1;) {
    delete std::exchange(n, n->above);
  }
}

std::string DirName::Path(const std::string& entry) const {
  std::vector<const Node*> chain;
  for (const Node* n = node_; n != nullptr; n = n->above) chain.push_back(n);
  std::string path;
  for (; !chain.empty(); chain.pop_back()) {
    if (!path.empty() && path.back() != '/') path += '/';
    path += chain.back()->name;
  }
  if (!path.empty() && !entry.empty() && path.back() != '/') path += '/';
  return path + entry;
}

int FilePlace::dir_fd() const { return dir != nullptr ? dir->fd() : AT_FDCWD; }

void Walk(const std::string& root, const WalkCallbacks& callbacks) { Walker(callbacks).Root(root); }

}  // namespace treewc
