// apps/treewc/walk.h: the files below a directory, in find's order.
// What      Walk calls back for every regular file below the given path, in the order in which
//           find(1) prints them, and for everything that could not be looked at. Symbolic links are
//           not followed, so there are no loops; other kinds of files are passed over.
// Depth     names are looked up from the directory they are in, so paths may be as long as they
//           like. Only the deepest kOpenLevels directories are held open; the way back to the
//           others is "..", and is checked to lead where it came from.
// Memory    a directory's entries are read in batches (find's), the rest is per level.
#ifndef GORT_APPS_TREEWC_WALK_H_
#define GORT_APPS_TREEWC_WALK_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace treewc {

// An open directory, shared by the walk and by whoever still has to open a file in it.
class OpenDir {
 public:
  explicit OpenDir(int fd) : fd_(fd) {}
  ~OpenDir();
  OpenDir(const OpenDir&) = delete;
  OpenDir& operator=(const OpenDir&) = delete;

  int fd() const { return fd_; }

 private:
  const int fd_;
};

// A directory's place in the tree: a shared handle to its name and the directory above. A path is
// put together when it is asked for.
class DirName {
 public:
  DirName() = default;  // no directory
  DirName(DirName above, std::string name)
      : node_(new Node{{1}, std::exchange(above.node_, nullptr), std::move(name)}) {}
  DirName(const DirName& o) : node_(o.node_) {
    if (node_ != nullptr) node_->refs.fetch_add(1, std::memory_order_relaxed);
  }
  DirName(DirName&& o) noexcept : node_(std::exchange(o.node_, nullptr)) {}
  DirName& operator=(DirName o) noexcept {
    std::swap(node_, o.node_);
    return *this;
  }
  ~DirName();

  // The path of `entry` in this directory; if `entry` is empty, of the directory.
  std::string Path(const std::string& entry) const;

 private:
  struct Node {
    std::atomic<int64_t> refs;
    Node* above;
    std::string name;
  };
  Node* node_ = nullptr;
};

// Where a file is. For a path given to Walk, dir is null and dir_name none.
struct FilePlace {
  std::shared_ptr<OpenDir> dir;
  DirName dir_name;
  std::string name;

  std::string Path() const { return dir_name.Path(name); }
  // The descriptor to give to openat.
  int dir_fd() const;
};

struct WalkCallbacks {
  std::function<void(FilePlace)> file;
  // `error` is an errno value; `what` says what failed, "open directory".
  std::function<void(const FilePlace&, const char* what, int error)> failed;
};

inline constexpr int kOpenLevels = 64;

// Must be called from a goroutine: system calls are made through gort::Blocking.
void Walk(const std::string& root, const WalkCallbacks& callbacks);

}  // namespace treewc

#endif  // GORT_APPS_TREEWC_WALK_H_
