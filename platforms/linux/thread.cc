#include "gort/platforms/thread.h"

#include <fcntl.h>
#include <link.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>

#include "gort/base/bits.h"
#include "gort/platforms/auxv.h"
#include "gort/platforms/signal.h"

namespace gort::rt {
namespace {

// g0 runs only the runtime and what it calls; user code runs on goroutine stacks.
constexpr size_t kThreadStackBytes = 256 << 10;

// The first thread's stack, without reading /proc/self/maps, which is what the C library does
// (0.1 ms). It ends with the program's name and a null word behind that, and may grow to the limit
// that holds when the program starts. False on other threads, without a limit, or when the name is
// not where the kernel puts it.
bool FirstStackBounds(uintptr_t* lo, uintptr_t* hi) {
  rlimit limit;
  const uintptr_t name = GetAuxval(AuxKey::kExecName);
  if (ThreadId() != ProcessId() || name == 0 || getrlimit(RLIMIT_STACK, &limit) != 0 ||
      limit.rlim_cur == RLIM_INFINITY) {
    return false;
  }
  const uintptr_t page = GetAuxval(AuxKey::kPageSize);
  const uintptr_t end = name + strlen(reinterpret_cast<const char*>(name)) + 1 + sizeof(void*);
  *hi = (end + page - 1) / page * page;
  *lo = *hi - limit.rlim_cur / page * page;
  const uintptr_t here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  return *lo < here && here < *hi;
}

struct Start {
  void (*fn)(void*);
  void* arg;
};

int AddTls(dl_phdr_info* module, size_t, void* sum) {
  for (int i = 0; i < module->dlpi_phnum; ++i) {
    const auto& header = module->dlpi_phdr[i];
    if (header.p_type == PT_TLS) *static_cast<size_t*>(sum) += header.p_memsz + header.p_align;
  }
  return 0;
}

// The thread-local variables of the program and of the libraries that begin with it, which the C
// library takes out of each thread's stack. Summed up once, for the loader's lock: later a
// goroutine may hold it that was cut off.
size_t StaticTlsBytes() {
  static constinit std::atomic<size_t> known{0};  // never 0 once known: our own variables
  size_t bytes = known.load(std::memory_order_relaxed);
  if (bytes == 0) {
    dl_iterate_phdr(&AddTls, &bytes);
    known.store(bytes, std::memory_order_relaxed);
  }
  return bytes;
}

void* Trampoline(void* p) {
  // Freed at the end, because the C library keeps its address with the thread: whatever had the memory
  // next would seem to be referred to (leak/).
  auto* start = static_cast<Start*>(p);
  start->fn(start->arg);
  delete start;
  return nullptr;
}

// A folder's link count is its subfolders and two more; /proc keeps it for task/ as well, and
// asking for it costs less than reading the folder.
__attribute__((no_sanitize("address", "thread"))) int CountThreads() {
  int saved = errno;
  struct stat st;
  bool known = stat("/proc/self/task", &st) == 0 && st.st_nlink > 2;
  errno = saved;
  return known ? static_cast<int>(st.st_nlink) - 2 : 0;
}

constinit int count_at_entry = 0;

// The kernel begins a program with one thread. An emulator adds its own, and runs static programs:
// in no other is the number asked for, because .preinit_array is not allowed in a shared library.
#ifdef GORT_STATIC_PROGRAM
// Runs before every constructor, those of other libraries too: a constructor may start threads.
__attribute__((no_sanitize("address", "thread"))) void NoteCountAtEntry() {
  count_at_entry = CountThreads();
}
__attribute__((section(".preinit_array"),
               used)) void (*const note_count_at_entry)() = &NoteCountAtEntry;
#endif

}  // namespace

int ThreadCount() { return CountThreads(); }
int ThreadCountAtEntry() { return count_at_entry; }

int ThreadCreate(ThreadHandle* out, void (*fn)(void*), void* arg) {
  int saved = errno;
  *out = 0;
  Start* start = new (std::nothrow) Start{fn, arg};
  if (start == nullptr) {
    errno = saved;
    return ENOMEM;
  }
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  size_t dflt = 0;
  pthread_attr_getstacksize(&attr, &dflt);
  pthread_attr_setstacksize(
      &attr, std::min(dflt, kThreadStackBytes) + AlignUp(StaticTlsBytes(), 64 << 10));
  SigSet before;
  SigBlockAll(&before);
  pthread_t t{};
  int err = pthread_create(&t, &attr, &Trampoline, start);
  if (err == EINVAL) {  // the C library was told to keep more for thread-local variables
    pthread_attr_setstacksize(&attr, dflt + kThreadStackBytes);
    err = pthread_create(&t, &attr, &Trampoline, start);
  }
  SigRestore(before);
  pthread_attr_destroy(&attr);
  if (err == 0) {
    *out = static_cast<ThreadHandle>(t);
  } else {
    delete start;
  }
  errno = saved;
  return err;
}

void ThreadDetach(ThreadHandle h) { pthread_detach(static_cast<pthread_t>(h)); }

int ThreadId() { return static_cast<int>(syscall(SYS_gettid)); }
int ProcessId() { return static_cast<int>(getpid()); }

bool ThreadStackBounds(uintptr_t* lo, uintptr_t* hi) {
  int saved = errno;
  if (FirstStackBounds(lo, hi)) {
    errno = saved;
    return true;
  }
  pthread_attr_t attr;
  if (pthread_getattr_np(pthread_self(), &attr) != 0) {
    errno = saved;
    return false;
  }
  void* base = nullptr;
  size_t bytes = 0;
  pthread_attr_getstack(&attr, &base, &bytes);  // without the guard
  pthread_attr_destroy(&attr);
  *lo = reinterpret_cast<uintptr_t>(base);
  *hi = *lo + bytes;
  errno = saved;
  return true;
}

// Not sched_yield(3), which programs may have from preempt/libc_calls.cc.
void ThreadYield() { syscall(SYS_sched_yield); }

void ThreadSleep(int64_t ns) {
  int saved = errno;
  timespec ts{ns / 1'000'000'000, ns % 1'000'000'000};
  nanosleep(&ts, nullptr);
  errno = saved;
}

bool ThreadKill(int tid, int sig) {
  int saved = errno;
  bool ok = syscall(SYS_tgkill, getpid(), tid, sig) == 0;
  errno = saved;
  return ok;
}

int64_t ThreadCpuNs(int tid) {
  // The kernel's name of a thread's clock (CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED).
  const clockid_t clock = static_cast<clockid_t>((~static_cast<unsigned>(tid) << 3) | 6);
  int saved = errno;
  timespec ts;
  const bool ok = clock_gettime(clock, &ts) == 0;
  errno = saved;
  return ok ? ts.tv_sec * int64_t{1'000'000'000} + ts.tv_nsec : -1;
}

bool ThreadIsAsleep(int tid, bool unknown) {
  int saved = errno;
  char text[64];
  snprintf(text, sizeof text, "/proc/self/task/%d/syscall", tid);
  const int fd = open(text, O_RDONLY | O_CLOEXEC);
  ssize_t n = -1;
  if (fd >= 0) {
    n = read(fd, text, sizeof text);
    close(fd);
  }
  errno = saved;
  // "running", or a number and its arguments.
  return n <= 0 ? unknown : text[0] != 'r';
}

namespace {

bool Membarrier(int command) {
  int saved = errno;
  const bool ok = syscall(SYS_membarrier, command, 0, 0) == 0;
  errno = saved;
  return ok;
}

}  // namespace

bool ThreadsBarrierInit() { return Membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED); }

bool ThreadsBarrier() { return Membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED); }

void ThreadSetName(const char* name) {
  char kept[16];  // the kernel's limit, its terminating zero included; longer names are refused
  size_t n = strnlen(name, sizeof kept - 1);
  memcpy(kept, name, n);
  kept[n] = '\0';
  pthread_setname_np(pthread_self(), kept);
}

}  // namespace gort::rt
