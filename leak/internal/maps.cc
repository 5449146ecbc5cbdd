#include "gort/leak/internal/maps.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "gort/platforms/mem.h"

namespace gort::rt {
namespace {

// All of a file. False: it cannot be read.
bool ReadAll(const char* path, Grow<char>* out) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char part[4096];
  ssize_t n;
  while ((n = read(fd, part, sizeof part)) > 0 || (n < 0 && errno == EINTR)) {
    for (ssize_t i = 0; i < n; ++i) out->Push(part[i]);
  }
  close(fd);
  return n == 0;
}

const char* Hex(const char* p, const char* end, uintptr_t* out) {
  *out = 0;
  for (; p < end; ++p) {
    const char c = *p;
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) break;
    *out = *out << 4 | static_cast<unsigned>(digit);
  }
  return p;
}

bool BeginsWith(const char* p, const char* end, const char* with) {
  const size_t n = strlen(with);
  return static_cast<size_t>(end - p) >= n && memcmp(p, with, n) == 0;
}

MapKind KindOf(const char* name, const char* end) {
  if (name == end) return MapKind::kAnonymous;
  if (BeginsWith(name, end, "[heap]")) return MapKind::kBreak;
  if (BeginsWith(name, end, "[stack")) return MapKind::kStack;
  if (BeginsWith(name, end, "[anon")) return MapKind::kAnonymous;
  if (*name == '[') return MapKind::kOther;  // the kernel's own: vdso and its like
  const bool device = BeginsWith(name, end, "/dev/") && !BeginsWith(name, end, "/dev/shm") &&
                      !BeginsWith(name, end, "/dev/zero");
  return device ? MapKind::kOther : MapKind::kFile;
}

bool IsLibc(const char* name, const char* end) {
  const char* base = end;
  while (base > name && base[-1] != '/') --base;
  return BeginsWith(base, end, "libc.so") || BeginsWith(base, end, "libc-2");
}

// "lo-hi perms offset dev inode   name"
bool ParseLine(const char* p, const char* end, Mapping* m) {
  p = Hex(p, end, &m->lo);
  if (p == end || *p != '-') return false;
  p = Hex(p + 1, end, &m->hi);
  if (end - p < 5) return false;
  m->readable = p[1] == 'r';
  m->writable = p[2] == 'w';
  m->shared = p[4] == 's';
  p += 5;
  for (int field = 0; field < 3; ++field) {
    while (p < end && *p == ' ') ++p;
    while (p < end && *p != ' ') ++p;
  }
  while (p < end && *p == ' ') ++p;
  m->kind = KindOf(p, end);
  m->libc = IsLibc(p, end);
  return true;
}

}  // namespace

bool ReadMaps(Scratch* scratch, Grow<Mapping>* out) {
  Grow<char> text(scratch);
  if (!text.Reserve(size_t{1} << 20) || !out->Reserve(8192)) return false;
  // /proc/self is the first thread, which has none when it has ended. An emulator answers for that name alone.
  if (!ReadAll("/proc/self/maps", &text)) return false;
  if (text.empty() && !ReadAll("/proc/thread-self/maps", &text)) return false;
  if (text.empty()) return false;
  const char* end = text.end();
  for (const char* p = text.begin(); p < end;) {
    const char* line_end = static_cast<const char*>(memchr(p, '\n', static_cast<size_t>(end - p)));
    if (line_end == nullptr) line_end = end;
    Mapping m{};
    if (!ParseLine(p, line_end, &m)) return false;
    out->Push(m);
    p = line_end + 1;
  }
  return !scratch->failed();
}

// An emulator shows the pagemap of its own addresses: a page that is written here must be there, and
// one that is not must not.
PageState::PageState(Scratch* scratch) : page_(PageSize()) {
  entries_ = static_cast<uint64_t*>(scratch->Map(kEntries * sizeof(uint64_t)));
  auto* probe = static_cast<volatile char*>(scratch->Map(2 * page_));
  if (entries_ == nullptr || probe == nullptr) return;
  MemNoHugePage(const_cast<char*>(probe), 2 * page_);
  probe[0] = 1;
  fd_ = open("/proc/thread-self/pagemap", O_RDONLY | O_CLOEXEC);
  const auto at = reinterpret_cast<uintptr_t>(probe) / page_;
  if (fd_ < 0) return;
  const bool works = Used(at) && n_ > 1 && entries_[1] == 0;
  if (works) return;
  close(fd_);
  fd_ = -1;
}

PageState::~PageState() {
  if (fd_ >= 0) close(fd_);
}

bool PageState::Used(uintptr_t page) {
  constexpr uint64_t kPresent = uint64_t{1} << 63;
  if (fd_ < 0 || shared_) return MemReadable(reinterpret_cast<void*>(page * page_));
  if (page < first_ || page >= first_ + n_) {
    first_ = page;
    const ssize_t n = pread(fd_, entries_, kEntries * sizeof(uint64_t),
                            static_cast<off_t>(page * sizeof(uint64_t)));
    n_ = n > 0 ? static_cast<size_t>(n) / sizeof(uint64_t) : 0;
    if (n_ == 0) return MemReadable(reinterpret_cast<void*>(page * page_));
  }
  const uint64_t entry = entries_[page - first_];
  if ((entry & kPresent) != 0) return true;
  // In the swap, or a guard that the kernel shows like that.
  return entry >> 61 != 0 && MemReadable(reinterpret_cast<void*>(page * page_));
}

uintptr_t PageState::NextUsed(uintptr_t lo, uintptr_t hi, uintptr_t* used) {
  uintptr_t page = lo / page_;
  const uintptr_t last = (hi + page_ - 1) / page_;
  while (page < last && !Used(page)) ++page;
  *used = page * page_ > lo ? page * page_ : lo;
  while (page < last && Used(page)) ++page;
  const uintptr_t end = page * page_ < hi ? page * page_ : hi;
  if (*used > end) *used = end;
  return end;
}

}  // namespace gort::rt
