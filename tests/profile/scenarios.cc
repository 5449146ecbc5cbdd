// Programs of which a profile is known: pprof_test.py runs them and reads what they write.
//
// scenarios NAME FILE
#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "gort/chan/chan.h"
#include "gort/malloc/malloc.h"
#include "gort/profile/labels.h"
#include "gort/profile/profile.h"
#include "gort/runtime.h"
#include "gort/sync/mutex.h"
#include "gort/sync/wait_group.h"

#define NOINLINE __attribute__((noinline))

namespace work {

using gort::profile::Kind;

// CPU time of this thread, ms.
int64_t ThreadMs() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec * int64_t{1000} + t.tv_nsec / 1'000'000;
}

std::atomic<uint64_t> sink;

// What stands before it is no tail call.
void StaysInFrame() { asm volatile("" : : : "memory"); }

// Computes until the thread has used so much more CPU time. The goroutine is locked to its thread.
template <int kWhich>
inline __attribute__((always_inline)) void Burn(int64_t ms) {
  const int64_t until = ThreadMs() + ms;
  uint64_t x = kWhich;
  do {
    for (int i = 0; i < 20'000; ++i) x = x * 6364136223846793005 + 1442695040888963407;
    sink.store(x, std::memory_order_relaxed);
  } while (ThreadMs() < until);
}

NOINLINE void Heavy(int64_t ms) { Burn<1>(ms); }
NOINLINE void Light(int64_t ms) { Burn<2>(ms); }
NOINLINE void OnItsOwnThread(int64_t ms) { Burn<3>(ms); }

void Must(const absl::Status& s) {
  if (s.ok()) return;
  std::fprintf(stderr, "%s\n", std::string(s.message()).c_str());
  exit(1);
}

// Heavy : Light : OnItsOwnThread = 3 : 1 : 2, the first two by goroutines with labels.
void UseCpu() {
  gort::WaitGroup wg;
  wg.Go([] {
    gort::LockOSThread();
    gort::WithLabels({{"who", "heavy"}, {"phase", "one"}}, [] { Heavy(900); });
  });
  wg.Go([] {
    gort::LockOSThread();
    gort::SetLabels({{"who", "light"}});
    Light(300);
  });
  std::thread([] { OnItsOwnThread(600); }).join();
  wg.Wait();
}

int Cpu(const char* file) {
  Must(gort::profile::StartCpu(file));
  UseCpu();
  Must(gort::profile::StopCpu());
  return 0;
}

// GODEBUG=cpuprofile.
int CpuOfEnvironment(const char*) {
  UseCpu();
  return 0;
}

NOINLINE void WaitsForAnswer(gort::Chan<int> c) { c.Recv(); }
NOINLINE void WaitsInTurn(gort::Mutex* mu) {
  mu->Lock();
  mu->Unlock();
}

int Goroutines(const char* file) {
  const gort::Chan<int> c = gort::MakeChan<int>();
  gort::Mutex mu;
  mu.Lock();
  gort::WaitGroup wg;
  for (int i = 0; i < 30; ++i) {
    wg.Go([c, i] {
      gort::SetLabels({{"half", i < 10 ? "first" : "second"}});
      WaitsForAnswer(c);
    });
  }
  for (int i = 0; i < 5; ++i) wg.Go([&mu] { WaitsInTurn(&mu); });
  std::string all;
  do {
    gort::Gosched();
    all = gort::Stack(true);
    size_t n = 0;
    for (size_t at = 0; (at = all.find("\ngoroutine ", at)) != all.npos; ++at) {
      const std::string head = all.substr(at, all.find('\n', at + 1) - at);
      n += head.find("[chan receive]") != head.npos || head.find("[sync.Mutex.Lock]") != head.npos;
    }
    if (n == 35) break;
  } while (true);
  Must(gort::profile::Write(Kind::kGoroutine, file));
  mu.Unlock();
  c.Close();
  wg.Wait();
  return 0;
}

// One waits 20 times for 10 ms, another 4 times for 50 ms.
NOINLINE void OftenAndShort(gort::Chan<int> c) {
  for (int i = 0; i < 20; ++i) c.Recv();
}
NOINLINE void RarelyAndLong(gort::Chan<int> c) {
  for (int i = 0; i < 4; ++i) c.Recv();
}

void Pause(int ms) {
  gort::Blocking([ms] { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); });
}

int Block(const char* file) {
  gort::profile::SetBlockProfileRate(1);
  gort::WaitGroup wg;
  const auto feed = [&wg](int n, int ms, void (*eat)(gort::Chan<int>)) {
    const gort::Chan<int> c = gort::MakeChan<int>();
    wg.Go([c, eat] { eat(c); });
    wg.Go([c, n, ms] {
      for (int i = 0; i < n; ++i) {
        Pause(ms);
        c.Send(i);
      }
    });
  };
  feed(20, 10, &OftenAndShort);
  feed(4, 50, &RarelyAndLong);
  wg.Wait();
  gort::profile::SetBlockProfileRate(0);
  Must(gort::profile::Write(Kind::kBlock, file));
  return 0;
}

// Holds the lock for 20 ms at a time, while three others want it for a moment.
NOINLINE void KeepsOthersWaiting(gort::Mutex* mu) {
  mu->Lock();
  Pause(20);
  mu->Unlock();
  StaysInFrame();
}
NOINLINE void IsQuick(gort::Mutex* mu) {
  mu->Lock();
  mu->Unlock();
  StaysInFrame();
}

int Convoy(const char* file) {
  gort::profile::SetMutexProfileFraction(1);
  gort::Mutex mu;
  std::atomic<bool> done{false};
  gort::WaitGroup wg;
  for (int i = 0; i < 3; ++i) {
    wg.Go([&] {
      while (!done) {
        IsQuick(&mu);
        gort::Gosched();
      }
    });
  }
  wg.Go([&] {
    for (int i = 0; i < 20; ++i) KeepsOthersWaiting(&mu);
    done = true;
  });
  wg.Wait();
  gort::profile::SetMutexProfileFraction(0);
  Must(gort::profile::Write(Kind::kMutex, file));
  return 0;
}

std::vector<void*> kept;

// 32 MiB in blocks of 1 KiB, 16 MiB of which stay; and 8 MiB in blocks of 1 MiB that all stay.
NOINLINE void TakesSmall() {
  for (int i = 0; i < 32 << 10; ++i) {
    void* p = gort::malloc::Alloc(1 << 10);
    if (i % 2 == 0) {
      kept.push_back(p);
    } else {
      gort::malloc::Free(p);
    }
  }
}
NOINLINE void TakesLarge() {
  for (int i = 0; i < 8; ++i) kept.push_back(gort::malloc::Alloc(1 << 20));
}

int Heap(const char* file) {
  gort::profile::SetHeapProfileRate(64 << 10);
  TakesSmall();
  gort::WithLabels({{"size", "large"}}, [] { TakesLarge(); });
  Must(gort::profile::Write(Kind::kHeap, file));
  for (void* p : kept) gort::malloc::Free(p);
  gort::profile::SetHeapProfileRate(0);
  Must(gort::profile::Write(Kind::kHeap, std::string(file) + ".after"));
  return 0;
}

NOINLINE void TakesOne() { kept.push_back(gort::malloc::Alloc(1000)); }

// The byte to which the cache counted was drawn at the first rate.
int Rates(const char* file) {
  gort::profile::SetHeapProfileRate(1);
  TakesOne();
  gort::profile::SetHeapProfileRate(int64_t{1} << 40);
  TakesOne();
  Must(gort::profile::Write(Kind::kHeap, file));
  return 0;
}

void OthersHandler(int) {}

// The first recording of a process, over a handler of the program's.
int Handler(const char* file) {
  struct sigaction mine {};
  mine.sa_handler = &OthersHandler;
  sigaction(SIGPROF, &mine, nullptr);
  for (int i = 0; i < 2; ++i) {
    Must(gort::profile::StartCpu(file));
    Must(gort::profile::StopCpu());
    struct sigaction now {};
    sigaction(SIGPROF, nullptr, &now);
    if (now.sa_handler != &OthersHandler) return 4 + i;
  }
  return 0;
}

// What profiles cost: ns of CPU time of one operation, the least of some rounds that take turns.
int64_t ProcessNs() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec * int64_t{1'000'000'000} + t.tv_nsec;
}

void Rendezvous(int n) {
  const gort::Chan<int> c = gort::MakeChan<int>();
  gort::Go([c, n] {
    for (int i = 0; i < n; ++i) c.Send(i);
  });
  for (int i = 0; i < n; ++i) c.Recv();
}

void Allocations(int n) {
  void* blocks[64];
  for (int i = 0; i < n / 64; ++i) {
    for (void*& b : blocks) b = gort::malloc::Alloc(64);
    for (void* b : blocks) gort::malloc::Free(b);
  }
}

struct Priced {
  const char* name;
  void (*work)(int n);
  void (*set)(bool on);
};
constexpr Priced kPriced[] = {
    {"rendezvous, CPU profile at 100 Hz", &Rendezvous,
     [](bool on) {
       on ? Must(gort::profile::StartCpu("")) : static_cast<void>(gort::profile::TakeCpu());
     }},
    {"rendezvous, block profile, rate 1", &Rendezvous,
     [](bool on) { gort::profile::SetBlockProfileRate(on ? 1 : 0); }},
    {"rendezvous, block profile, rate 10 us", &Rendezvous,
     [](bool on) { gort::profile::SetBlockProfileRate(on ? 10'000 : 0); }},
    {"rendezvous, with labels", &Rendezvous,
     [](bool on) {
       on ? gort::SetLabels({{"a", "b"}}) : gort::SetLabels({});
     }},
    {"64 bytes, heap profile, rate 512 KiB", &Allocations,
     [](bool on) {
       gort::profile::SetHeapProfileRate(on ? gort::profile::kDefaultHeapProfileRate : 0);
     }},
};

int Cost(const char*) {
  constexpr int kOperations = 200'000;
  for (const Priced& p : kPriced) {
    double least[2] = {1e9, 1e9};
    for (int round = 0; round < 18; ++round) {
      const bool on = round % 2 == 1;
      p.set(on);
      const int64_t begin = ProcessNs();
      p.work(kOperations);
      const double each = static_cast<double>(ProcessNs() - begin) / kOperations;
      if (each < least[on]) least[on] = each;
      p.set(false);
    }
    std::printf("%-40s off %7.1f ns  on %7.1f ns\n", p.name, least[0], least[1]);
  }
  return 0;
}

struct Scenario {
  const char* name;
  int (*run)(const char* file);
};
constexpr Scenario kScenarios[] = {
    {"cpu", &Cpu},
    {"environment", &CpuOfEnvironment},
    {"goroutines", &Goroutines},
    {"block", &Block},
    {"convoy", &Convoy},
    {"heap", &Heap},
    {"rates", &Rates},
    {"handler", &Handler},
    {"cost", &Cost},
};

}  // namespace work

int gort_main(int argc, char** argv) {
  for (const work::Scenario& s : work::kScenarios) {
    if (argc == 3 && strcmp(argv[1], s.name) == 0) return s.run(argv[2]);
  }
  return 3;
}
