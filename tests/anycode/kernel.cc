// tests/anycode/kernel.cc: what else the kernel offers to wait by, to lock by and to interrupt by.
#include <aio.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gort/tests/anycode/families.h"
#include "gort/tests/anycode/patterns.h"
#include "gort/tests/anycode/row.h"
#include "gort/tests/anycode/scratch_dir.h"

namespace anycode {
namespace {

constexpr std::chrono::milliseconds kWait{20};

class EventfdCourt {
 public:
  ~EventfdCourt() {
    for (int fd : fds_) close(fd);
  }
  void Post(int side, int64_t v) {
    values_[side] = v;
    ExpectCall(0, eventfd_write(fds_[side], 1), "eventfd_write");
  }
  int64_t Wait(int side) {
    eventfd_t n = 0;
    ExpectCall(0, eventfd_read(fds_[side], &n), "eventfd_read");
    return values_[side];
  }

 private:
  int fds_[2] = {eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC)};
  int64_t values_[2] = {};
};

class EpollCourt {
 public:
  EpollCourt() {
    for (int i : {0, 1}) {
      epoll_event e = {};
      e.events = EPOLLIN;
      ExpectCall(0, epoll_ctl(epolls_[i], EPOLL_CTL_ADD, fds_[i], &e), "epoll_ctl");
    }
  }
  ~EpollCourt() {
    for (int i : {0, 1}) {
      close(fds_[i]);
      close(epolls_[i]);
    }
  }
  void Post(int side, int64_t v) {
    values_[side] = v;
    ExpectCall(0, eventfd_write(fds_[side], 1), "eventfd_write");
  }
  int64_t Wait(int side) {
    epoll_event e = {};
    ExpectCall(1, epoll_wait(epolls_[side], &e, 1, -1), "epoll_wait");
    eventfd_t n = 0;
    ExpectCall(0, eventfd_read(fds_[side], &n), "eventfd_read");
    return values_[side];
  }

 private:
  static constexpr int kFlags = EFD_CLOEXEC | EFD_NONBLOCK;
  int fds_[2] = {eventfd(0, kFlags), eventfd(0, kFlags)};
  int epolls_[2] = {epoll_create1(EPOLL_CLOEXEC), epoll_create1(EPOLL_CLOEXEC)};
  int64_t values_[2] = {};
};

template <class Ends>
class SocketCourt {
 public:
  void Post(int side, int64_t v) {
    ExpectCall(8, send(sockets_.ends[1 - side], &v, sizeof(v), 0), "send");
  }
  int64_t Wait(int side) {
    int64_t v = -1;
    ExpectCall(8, recv(sockets_.ends[side], &v, sizeof(v), MSG_WAITALL), "recv");
    return v;
  }

 private:
  Ends sockets_;
};

struct UnixPair {
  UnixPair() { ExpectCall(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair"); }
  ~UnixPair() {
    for (int end : ends) close(end);
  }
  int ends[2];
};

struct TcpPair {
  TcpPair() {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    ExpectCall(0, bind(listener, any, size), "bind");
    ExpectCall(0, listen(listener, 1), "listen");
    ExpectCall(0, getsockname(listener, any, &size), "getsockname");
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    ExpectCall(0, connect(ends[0], any, size), "connect");
    ends[1] = accept(listener, nullptr, nullptr);
    close(listener);
  }
  ~TcpPair() {
    for (int end : ends) close(end);
  }
  int ends[2];
};

// A semaphore with a name, which the worker that waits opens again.
class NamedSemaphoreCourt {
 public:
  NamedSemaphoreCourt() {
    static std::atomic<int> number{0};
    for (sem_t*& s : semaphores_) {
      const std::string name =
          "/gort-anycode-" + std::to_string(getpid()) + "-" + std::to_string(number.fetch_add(1));
      s = sem_open(name.c_str(), O_CREAT | O_EXCL, 0600, 0);
      Expect(s != SEM_FAILED, "sem_open");
      sem_unlink(name.c_str());
    }
  }
  ~NamedSemaphoreCourt() {
    for (sem_t* s : semaphores_) sem_close(s);
  }
  void Post(int side, int64_t v) {
    values_[side] = v;
    ExpectCall(0, sem_post(semaphores_[side]), "sem_post");
  }
  int64_t Wait(int side) {
    timespec end = {};
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 100;
    ExpectCall(0, sem_timedwait(semaphores_[side], &end), "sem_timedwait");
    return values_[side];
  }

 private:
  sem_t* semaphores_[2];
  int64_t values_[2] = {};
};

// One side hears of changes of a file; a user may not have many such descriptors, so the other side
// waits for a datagram.
class InotifyCourt {
 public:
  InotifyCourt() {
    Expect(inotify_add_watch(notify_, path_.c_str(), IN_MODIFY) > 0, "inotify_add_watch");
    ExpectCall(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, ends_), "socketpair");
  }
  ~InotifyCourt() {
    for (int fd : {notify_, file_, ends_[0], ends_[1]}) close(fd);
  }
  void Post(int side, int64_t v) {
    if (side == 0) {
      ExpectCall(8, send(ends_[1], &v, sizeof(v), 0), "send");
    } else {
      ExpectCall(8, pwrite(file_, &v, sizeof(v), 0), "pwrite");
    }
  }
  int64_t Wait(int side) {
    int64_t v = -1;
    if (side == 0) {
      ExpectCall(8, recv(ends_[0], &v, sizeof(v), 0), "recv");
    } else {
      alignas(inotify_event) char events[1000];
      ExpectCall(sizeof(inotify_event), read(notify_, events, sizeof(events)), "read");
      ExpectCall(8, pread(file_, &v, sizeof(v), 0), "pread");
    }
    return v;
  }

 private:
  const ScratchDir folder_;
  const std::string path_ = folder_.path() + "/file";
  const int file_ = open(path_.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  const int notify_ = inotify_init1(IN_CLOEXEC);
  int ends_[2];
};

// Each worker's own description of one file: locks of files exclude these.
template <class Lock, class Unlock>
Task FileLock(Lock lock, Unlock unlock) {
  struct Shared {
    ScratchDir folder;
    Guarded guarded;
  };
  auto s = std::make_shared<Shared>();
  return {[=](Worker& w) {
            const int fd = open((s->folder.path() + "/lock").c_str(), O_CREAT | O_RDWR, 0600);
            while (w.Next()) {
              lock(fd);
              s->guarded.Visit(20);
              unlock(fd);
            }
            close(fd);
          },
          [s](int64_t ops) { ExpectEq(ops, s->guarded.entered(), "visits"); }};
}

Task Flock(int) {
  return FileLock([](int fd) { ExpectCall(0, flock(fd, LOCK_EX), "flock"); },
                  [](int fd) { ExpectCall(0, flock(fd, LOCK_UN), "flock"); });
}

void SetLock(int fd, int16_t type) {
  struct flock whole = {};
  whole.l_type = type;
  whole.l_whence = SEEK_SET;
  ExpectCall(0, fcntl(fd, F_OFD_SETLKW, &whole), "fcntl");
}

Task OfdLock(int) {
  return FileLock([](int fd) { SetLock(fd, F_WRLCK); }, [](int fd) { SetLock(fd, F_UNLCK); });
}

Task Timerfd(int) {
  return {.work =
              [](Worker& w) {
                const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
                while (w.Next()) {
                  itimerspec in = {};
                  in.it_value.tv_nsec = std::chrono::nanoseconds(kWait).count();
                  const Clock::time_point start = Clock::now();
                  ExpectCall(0, timerfd_settime(fd, 0, &in, nullptr), "timerfd_settime");
                  uint64_t times = 0;
                  ExpectCall(8, read(fd, &times, sizeof(times)), "read");
                  ExpectEq(1, static_cast<int64_t>(times), "times");
                  Expect(Clock::now() - start >= kWait, "the timer was early");
                }
                close(fd);
              },
          .waits = kWait};
}

// The C library makes a thread for each ring.
Task TimerThread(int) {
  return {.work =
              [](Worker& w) {
                sem_t rung;
                sem_init(&rung, 0, 0);
                sigevent event = {};
                event.sigev_notify = SIGEV_THREAD;
                event.sigev_value.sival_ptr = &rung;
                event.sigev_notify_function = [](sigval v) {
                  sem_post(static_cast<sem_t*>(v.sival_ptr));
                };
                timer_t timer;
                ExpectCall(0, timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create");
                while (w.Next()) {
                  itimerspec in = {};
                  in.it_value.tv_nsec = std::chrono::nanoseconds(kWait).count();
                  const Clock::time_point start = Clock::now();
                  ExpectCall(0, timer_settime(timer, 0, &in, nullptr), "timer_settime");
                  ExpectCall(0, sem_wait(&rung), "sem_wait");
                  Expect(Clock::now() - start >= kWait, "the timer was early");
                }
                timer_delete(timer);
              },
          .waits = kWait};
}

// The C library's threads write and read a file.
Task Aio(int) {
  struct Shared {
    ScratchDir folder;
    const int fd = open((folder.path() + "/file").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    ~Shared() { close(fd); }
  };
  auto s = std::make_shared<Shared>();
  return {[s](Worker& w) {
    for (int64_t v = w.index() * 1000; w.Next(); ++v) {
      const auto wait = [](aiocb* block) {
        const aiocb* const list[] = {block};
        int error = EINPROGRESS;
        while ((error = aio_error(block)) == EINPROGRESS) {
          ExpectCall(0, aio_suspend(list, 1, nullptr), "aio_suspend");
        }
        ExpectEq(0, error, "aio_error");
        ExpectCall(8, aio_return(block), "aio_return");
      };
      int64_t out = v;
      int64_t in = -1;
      aiocb block = {};
      block.aio_fildes = s->fd;
      block.aio_offset = w.index() * 8;
      block.aio_nbytes = 8;
      block.aio_buf = &out;
      ExpectCall(0, aio_write(&block), "aio_write");
      wait(&block);
      block.aio_buf = &in;
      ExpectCall(0, aio_read(&block), "aio_read");
      wait(&block);
      ExpectEq(v, in, "what was written");
    }
  }};
}

// A signal that the worker blocks, sends to its own thread and takes.
Task Sigwait(int) {
  return {[](Worker& w) {
    while (w.Next()) {
      sigset_t set, before;
      sigemptyset(&set);
      sigaddset(&set, SIGUSR1);
      ExpectEq(0, pthread_sigmask(SIG_BLOCK, &set, &before), "pthread_sigmask");
      Burn(20);
      ExpectEq(0, raise(SIGUSR1), "raise");
      Burn(20);
      int got = 0;
      ExpectEq(0, sigwait(&set, &got), "sigwait");
      ExpectEq(SIGUSR1, got, "the signal");
      ExpectEq(0, pthread_sigmask(SIG_SETMASK, &before, nullptr), "pthread_sigmask");
    }
  }};
}

thread_local volatile int handled = 0;

// A handler of the program's, which takes its time.
Task Raise(int) {
  struct sigaction action = {};
  action.sa_handler = [](int) {
    Burn(20);
    handled = handled + 1;
  };
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR2, &action, nullptr);
  return {[](Worker& w) {
    while (w.Next()) {
      const int before = handled;
      ExpectEq(0, raise(SIGUSR2), "raise");
      ExpectEq(before + 1, handled, "signals handled");
      Burn(5);
    }
  }};
}

constexpr size_t kPage = 4096;
std::atomic<int64_t> faults{0};
char* protected_pages = nullptr;
size_t protected_bytes = 0;

// A write barrier by page faults: the handler makes the page writable.
Task PageFaults(int workers) {
  protected_bytes = static_cast<size_t>(workers) * kPage;
  protected_pages = static_cast<char*>(
      mmap(nullptr, protected_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  struct sigaction action = {};
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  action.sa_sigaction = [](int, siginfo_t* info, void*) {
    char* at = static_cast<char*>(info->si_addr);
    if (at < protected_pages || at >= protected_pages + protected_bytes) abort();
    Burn(2);
    const auto offset = static_cast<size_t>(at - protected_pages) / kPage * kPage;
    mprotect(protected_pages + offset, kPage, PROT_READ | PROT_WRITE);
    faults.fetch_add(1);
  };
  sigaction(SIGSEGV, &action, nullptr);
  return {[](Worker& w) {
            auto* page = reinterpret_cast<volatile int64_t*>(
                protected_pages + static_cast<size_t>(w.index()) * kPage);
            for (int64_t i = 1; w.Next(); ++i) {
              *page = i;
              Burn(5);
              ExpectEq(i, *page, "what was written");
              ExpectCall(0, mprotect(const_cast<int64_t*>(page), kPage, PROT_READ), "mprotect");
            }
          },
          [](int64_t ops) {
            ExpectEq(ops, faults.load(), "faults");
            munmap(protected_pages, protected_bytes);
          }};
}

// Pages that a thread of the row's brings when one is touched; meanwhile the worker waits in a fault.
class UserFaults {
 public:
  explicit UserFaults(int workers)
      : bytes_(static_cast<size_t>(workers) * kPage),
        fd_(static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK))),
        pages_(static_cast<char*>(
            mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    if (fd_ < 0) return;
    uffdio_api api = {};
    api.api = UFFD_API;
    ExpectCall(0, ioctl(fd_, UFFDIO_API, &api), "UFFDIO_API");
    uffdio_register range = {};
    range.range = {reinterpret_cast<uint64_t>(pages_), bytes_};
    range.mode = UFFDIO_REGISTER_MODE_MISSING;
    ExpectCall(0, ioctl(fd_, UFFDIO_REGISTER, &range), "UFFDIO_REGISTER");
    thread_ = std::thread([this] { Serve(); });
  }
  ~UserFaults() {
    stop_.store(true);
    if (thread_.joinable()) thread_.join();
    close(fd_);
    munmap(pages_, bytes_);
  }
  bool works() const { return fd_ >= 0; }
  char* page(int i) { return pages_ + static_cast<size_t>(i) * kPage; }

 private:
  void Serve() {
    while (!stop_.load()) {
      pollfd ready = {fd_, POLLIN, 0};
      poll(&ready, 1, 10);
      std::vector<uint64_t> touched;
      uffd_msg message;
      std::this_thread::sleep_for(kWait);
      while (read(fd_, &message, sizeof(message)) == sizeof(message)) {
        touched.push_back(message.arg.pagefault.address / kPage * kPage);
      }
      for (uint64_t at : touched) {
        alignas(kPage) char bytes[kPage];
        memset(bytes, 7, sizeof(bytes));
        uffdio_copy copy = {at, reinterpret_cast<uint64_t>(bytes), kPage, 0, 0};
        ExpectCall(0, ioctl(fd_, UFFDIO_COPY, &copy), "UFFDIO_COPY");
      }
    }
  }

  const size_t bytes_;
  const int fd_;
  char* const pages_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

Task UserFault(int workers) {
  auto faults = std::make_shared<UserFaults>(workers);
  if (!faults->works()) return {[](Worker& w) { w.Next(); }};
  return {.work =
              [faults](Worker& w) {
                char* page = faults->page(w.index());
                while (w.Next()) {
                  ExpectEq(7, *static_cast<volatile char*>(page), "the byte of the page");
                  madvise(page, kPage, MADV_DONTNEED);
                }
              },
          .waits = kWait};
}

// A generator on a stack of its own.
struct Generator {
  ucontext_t caller, self;
  std::vector<char> stack = std::vector<char>(size_t{1} << 16);
  int64_t value = 0;
  static void Enter(unsigned high, unsigned low) {
    auto* g = reinterpret_cast<Generator*>((uint64_t{high} << 32) | low);
    for (;;) {
      ++g->value;
      Burn(2);
      swapcontext(&g->self, &g->caller);
    }
  }
};

Task Swapcontext(int) {
  return {[](Worker& w) {
    Generator g;
    getcontext(&g.self);
    g.self.uc_stack.ss_sp = g.stack.data();
    g.self.uc_stack.ss_size = g.stack.size();
    g.self.uc_link = nullptr;
    const auto at = reinterpret_cast<uint64_t>(&g);
    makecontext(&g.self, reinterpret_cast<void (*)()>(&Generator::Enter), 2,
                static_cast<unsigned>(at >> 32), static_cast<unsigned>(at));
    for (int64_t i = 1; w.Next(); ++i) {
      swapcontext(&g.caller, &g.self);
      ExpectEq(i, g.value, "the generator's value");
    }
  }};
}

}  // namespace

Family Kernel() {
  return {"kernel",
          {{"eventfd", PingPong<EventfdCourt>},
           {"epoll", PingPong<EpollCourt>},
           {"unix_stream", PingPong<SocketCourt<UnixPair>>},
           {"tcp_stream", PingPong<SocketCourt<TcpPair>>},
           {"named_semaphore", PingPong<NamedSemaphoreCourt>},
           {"inotify", PingPong<InotifyCourt>},
           {"flock", Flock},
           {"ofd_lock", OfdLock},
           {"timerfd", Timerfd},
           {"timer_thread", TimerThread},
           {"aio", Aio},
           {"sigwait", Sigwait},
           {"raise", Raise},
           {"page_faults", PageFaults},
           {"userfault", UserFault},
           {"swapcontext", Swapcontext}}};
}

}  // namespace anycode
