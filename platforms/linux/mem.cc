#include "gort/platforms/mem.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "gort/base/attributes.h"
#include "gort/base/bits.h"
#include "gort/base/throw.h"
#include "gort/platforms/auxv.h"
#include "gort/platforms/valgrind.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif

namespace gort::rt {
namespace {

class ErrnoKeeper {
 public:
  ~ErrnoKeeper() { errno = saved_; }

 private:
  int saved_ = errno;
};

void* MapAt(void* hint, size_t bytes, int prot) {
  void* p = mmap(hint, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? nullptr : p;
}

// Where there is no room for `align` bytes more (ulimit -v): the aligned address below the one that
// the kernel would take, because it takes them downwards. Null: not free.
void* MapTight(size_t bytes, size_t align, int prot) {
  void* p = MapAt(nullptr, bytes, prot);
  if (p == nullptr) return nullptr;
  uintptr_t want = AlignDown(reinterpret_cast<uintptr_t>(p), align);
  if (want == reinterpret_cast<uintptr_t>(p)) return p;
  munmap(p, bytes);
  p = MapAt(reinterpret_cast<void*>(want), bytes, prot);
  if (p == nullptr || reinterpret_cast<uintptr_t>(p) == want) return p;
  munmap(p, bytes);
  return nullptr;
}

void* Map(size_t bytes, size_t align, int prot) {
  ErrnoKeeper keep;
  size_t page = PageSize();
  if (align < page) align = page;
  size_t total = bytes + (align - page);
  if (total < bytes) return nullptr;
  void* p = MapAt(nullptr, total, prot);
  if (p == nullptr) return total == bytes ? nullptr : MapTight(bytes, align, prot);
  uintptr_t lo = reinterpret_cast<uintptr_t>(p);
  uintptr_t want = AlignUp(lo, align);
  if (want != lo) munmap(p, want - lo);
  if (want + bytes != lo + total) {
    munmap(reinterpret_cast<void*>(want + bytes), lo + total - want - bytes);
  }
  return reinterpret_cast<void*>(want);
}

// EAGAIN may be a shortage that passes, or the process's last mapping, which does not come back.
bool Advise(void* p, size_t bytes, int advice) {
  constexpr int kTries = 16;
  ErrnoKeeper keep;
  for (int i = 0; i < kTries; ++i) {
    if (madvise(p, bytes, advice) == 0) return true;
    if (errno != EINTR && errno != EAGAIN) return false;
  }
  return false;
}

// The decimal number that a file of the kernel's begins with; 0: no such file.
size_t ReadNumber(const char* path) {
  ErrnoKeeper keep;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[32];
  ssize_t n = read(fd, text, sizeof text);
  close(fd);
  size_t v = 0;
  for (ssize_t i = 0; i < n && text[i] >= '0' && text[i] <= '9'; ++i) {
    v = v * 10 + static_cast<size_t>(text[i] - '0');
  }
  return v;
}

}  // namespace

size_t PageSize() {
  static constinit std::atomic<size_t> cached{0};
  size_t n = cached.load(std::memory_order_relaxed);  // idempotent: no partner needed
  if (n == 0) {
    n = GetAuxval(AuxKey::kPageSize);
    if (n == 0) n = 4096;
    cached.store(n, std::memory_order_relaxed);
  }
  return n;
}

size_t HugePageSize() {
  size_t v = ReadNumber("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
  return IsPowerOfTwo(v) ? v : 0;
}

size_t MemMaxMappings() {
  size_t v = ReadNumber("/proc/sys/vm/max_map_count");
  return v != 0 ? v : 65530;
}

void* MemReserve(size_t bytes, size_t align) { return Map(bytes, align, PROT_NONE); }
void* MemMap(size_t bytes, size_t align) { return Map(bytes, align, PROT_READ | PROT_WRITE); }

bool MemCommit(void* p, size_t bytes) {
  ErrnoKeeper keep;
  return mprotect(p, bytes, PROT_READ | PROT_WRITE) == 0;
}

void MemUnmap(void* p, size_t bytes) {
  ErrnoKeeper keep;
  munmap(p, bytes);
}

bool MemRelease(void* p, size_t bytes) {
  if (Advise(p, bytes, MADV_DONTNEED)) return true;
  // The program may have called mlockall: Linux 5.18 has advice for that. An emulator that answers
  // 0 to advice that does not exist follows no advice.
  constexpr int kNoSuchAdvice = 9999;
  return !Advise(p, bytes, kNoSuchAdvice) && Advise(p, bytes, MADV_DONTNEED_LOCKED);
}

bool MemReset(void* p, size_t bytes) {
  ErrnoKeeper keep;
  return mmap(p, bytes, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED;
}

bool MemProtectNone(void* p, size_t bytes) {
  ErrnoKeeper keep;
  return mprotect(p, bytes, PROT_NONE) == 0;
}

bool MemGuardInstall(void* p, size_t bytes) { return Advise(p, bytes, MADV_GUARD_INSTALL); }

size_t MemGuardInstallEach(void* p, size_t bytes, size_t stride, size_t n) {
  constexpr int kPidfdSelf = -10000;  // PIDFD_SELF, Linux 6.15; older kernels answer EBADF
  constexpr size_t kBatch = 64;
  ErrnoKeeper keep;
  char* at = static_cast<char*>(p);
  size_t done = 0;
  while (done < n) {
    iovec ranges[kBatch];
    size_t k = n - done < kBatch ? n - done : kBatch;
    for (size_t i = 0; i < k; ++i) ranges[i] = {at + (done + i) * stride, bytes};
    long r = -1;
    if (k > 1) r = syscall(SYS_process_madvise, kPidfdSelf, ranges, k, MADV_GUARD_INSTALL, 0);
    if (r >= static_cast<long>(bytes)) {
      done += static_cast<size_t>(r) / bytes;  // perhaps not all: the rest is tried again
      continue;
    }
    for (size_t i = 0; i < k; ++i, ++done) {
      if (!Advise(at + done * stride, bytes, MADV_GUARD_INSTALL)) return done;
    }
  }
  return done;
}

namespace {

// 0, EFAULT, or an errno value that says that the system does not tell.
int ReadByte(const void* p) {
  char byte;
  iovec local{&byte, 1};
  iovec remote{const_cast<void*>(p), 1};
  // The call names this thread, because the process's first may have ended. It is made by number,
  // because the sanitizers' wrapper would read the address itself. The last argument lies on the stack,
  // where an int leaves half of it as it was.
  long n = syscall(SYS_process_vm_readv, syscall(SYS_gettid), &local, 1, &remote, 1, 0UL);
  return n == 1 ? 0 : errno;
}

}  // namespace

bool MemUnreadable(const void* p) {
  ErrnoKeeper keep;
  return ReadByte(p) == EFAULT;
}

bool MemReadable(const void* p) {
  ErrnoKeeper keep;
  const int error = ReadByte(p);
  if (error == 0) return true;
  if (error == EFAULT) return false;
  // Not permitted (a container's seccomp filter, an emulator): let a pipe's write read the byte.
  int fds[2];
  if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) return false;
  const long n = syscall(SYS_write, fds[1], p, 1);
  close(fds[0]);
  close(fds[1]);
  return n == 1;
}

bool MemGuardWorks() {
  if (RunningOnValgrind()) return false;  // it reads them itself
  size_t page = PageSize();
  void* p = MemMap(page, page);
  if (p == nullptr) return false;
  bool works = MemGuardInstall(p, page) && !MemReadable(p);
  MemUnmap(p, page);
  return works;
}

namespace {

void PrintLimit(Printer* out, const char* name, __rlimit_resource resource) {
  rlimit limit;
  if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  *out << ", " << name << " " << limit.rlim_cur << " bytes";
}

}  // namespace

GORT_COLD void MemExhausted(const char* what, size_t bytes) {
  {
    Printer out;
    out << "gort: no memory for " << what;
    if (bytes != 0) out << " (" << bytes << " bytes)";
    out << "; limits: " << MemMaxMappings() << " mappings (vm.max_map_count)";
    PrintLimit(&out, "address space (ulimit -v)", RLIMIT_AS);
    PrintLimit(&out, "data (ulimit -d)", RLIMIT_DATA);
    if (ReadNumber("/proc/sys/vm/overcommit_memory") == 2) out << ", strict overcommit";
    out << "\n";
  }
  char text[128];
  {
    Printer out(text, sizeof text - 1);
    out << "out of memory (" << what << ")";
    text[out.size()] = '\0';
  }
  Throw(text);
}

void MemNoHugePage(void* p, size_t bytes) { Advise(p, bytes, MADV_NOHUGEPAGE); }
void MemHugePage(void* p, size_t bytes) { Advise(p, bytes, MADV_HUGEPAGE); }

}  // namespace gort::rt
