// tests/shortage/scenarios.cc: programs that want memory and threads of every kind, by name. Each
// prints "done" when it has done its work; what it cannot have and may do without, it does without.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "gort/chan/chan.h"
#include "gort/malloc/malloc.h"
#include "gort/runtime.h"
#include "gort/sync/sync.h"
#include "gort/timer/timer.h"

namespace {

using gort::Chan;
using gort::MakeChan;
using gort::WaitGroup;

void Wrong(const char* what) {
  std::fprintf(stderr, "wrong: %s\n", what);
  _exit(1);
}

void Hello() {}

// Goroutines that all have a stack at the same time, of three kinds.
void Goroutines() {
  constexpr int kEach = 300;
  WaitGroup done;
  Chan<gort::Unit> go = MakeChan<gort::Unit>();
  std::atomic<int> sum{0};
  for (const size_t stack : {size_t{0}, size_t{40} << 10, size_t{8} << 20}) {
    for (int i = 0; i < kEach; ++i) {
      done.Add(1);
      gort::Go(gort::GoOptions{.stack_size = stack}, [&] {
        go.Recv();
        ++sum;
        done.Done();
      });
    }
  }
  go.Close();
  done.Wait();
  if (sum != 3 * kEach) Wrong("goroutines");
}

void Channels() {
  constexpr int kValues = 20'000;
  constexpr int kChans = 8;
  std::vector<Chan<std::unique_ptr<int>>> chans;
  for (int i = 0; i < kChans; ++i) chans.push_back(MakeChan<std::unique_ptr<int>>(64));
  WaitGroup done;
  std::atomic<int64_t> sum{0};
  for (auto& c : chans) {
    done.Add(1);
    gort::Go([&] {
      for (const auto& v : c) sum += *v;
      done.Done();
    });
    gort::Go([&] {
      for (int i = 0; i < kValues / kChans; ++i) c.Send(std::make_unique<int>(1));
      c.Close();
    });
  }
  done.Wait();
  if (sum != kValues) Wrong("channels");
}

// A block of the allocator's, if it has one, with a pattern that Give looks for.
struct Block {
  char* p = nullptr;
  size_t bytes = 0;
};

Block Take(size_t bytes, char mark) {
  Block b{static_cast<char*>(gort::malloc::Alloc(bytes)), bytes};
  if (b.p != nullptr) std::memset(b.p, mark, bytes < 5000 ? bytes : 5000);
  return b;
}

void Give(Block& b, char mark) {
  if (b.p == nullptr) return;
  for (size_t i = 0; i < b.bytes && i < 5000; ++i) {
    if (b.p[i] != mark) Wrong("a block was written to");
  }
  gort::malloc::Free(b.p);
  b.p = nullptr;
}

void Storm(uint32_t seed) {
  constexpr size_t kLive = 400;
  std::vector<Block> live(kLive);
  const char mark = static_cast<char>(seed);
  uint32_t r = seed * 2654435761u + 1;
  for (int i = 0; i < 3000; ++i) {
    r = r * 1664525u + 1013904223u;
    Block& b = live[(r >> 8) % kLive];
    Give(b, mark);
    const uint32_t kind = (r >> 4) % 64;
    const size_t bytes = kind == 0  ? (r >> 10) % (3 << 20)
                         : kind < 8 ? (r >> 10) % 40'000
                                    : (r >> 10) % 600;
    b = Take(bytes, mark);
    if (b.p != nullptr && kind == 1) {
      if (auto* q = static_cast<char*>(gort::malloc::Realloc(b.p, bytes * 2))) b.p = q;
    }
    if (i % 1000 == 0) gort::malloc::ReleaseFreeMemory();
  }
  for (Block& b : live) Give(b, mark);
}

void Malloc() {
  WaitGroup done;
  for (uint32_t i = 1; i <= 4; ++i) {
    done.Go([i] {
      try {
        Storm(i);
      } catch (const std::bad_alloc&) {
      }
    });
  }
  done.Wait();
}

// Goroutines that block their threads all at once, and threads of the program's own.
void Threads() {
  constexpr int kBlocked = 12;
  WaitGroup done;
  int fds[2];
  if (pipe(fds) != 0) Wrong("pipe");
  for (int i = 0; i < kBlocked; ++i) {
    done.Go([&fds] {
      char byte;
      gort::Blocking([&] { return read(fds[0], &byte, 1); });
    });
  }
  std::atomic<int> foreign{0};
  std::vector<std::thread> own;
  for (int i = 0; i < 4; ++i) {
    try {
      own.emplace_back([&] {
        Storm(9);
        WaitGroup one;
        one.Go([&] { ++foreign; });
        one.Wait();
      });
    } catch (const std::system_error&) {
    }
  }
  for (std::thread& t : own) gort::Blocking([&] { t.join(); });
  if (foreign != static_cast<int>(own.size())) Wrong("foreign threads");
  for (int i = 0; i < kBlocked; ++i) {
    if (write(fds[1], "x", 1) != 1) Wrong("write");
  }
  done.Wait();
}

void Timers() {
  constexpr int kTimers = 30'000;
  std::vector<gort::Timer> all;
  for (int i = 0; i < kTimers; ++i)
    all.push_back(gort::NewTimer(absl::Hours(1) + absl::Seconds(i)));
  gort::Sleep(absl::Milliseconds(1));
  for (gort::Timer& t : all) {
    if (!t.Stop()) Wrong("timers");
  }
}

struct Scenario {
  const char* name;
  void (*run)();
};

constexpr Scenario kScenarios[] = {{"hello", Hello},       {"goroutines", Goroutines},
                                   {"channels", Channels}, {"malloc", Malloc},
                                   {"threads", Threads},   {"timers", Timers}};

}  // namespace

int gort_main(int argc, char** argv) {
  for (const Scenario& s : kScenarios) {
    if (argc > 1 && std::strcmp(argv[1], s.name) == 0) {
      s.run();
      if (write(STDOUT_FILENO, "done\n", 5) != 5) return 1;
      return 0;
    }
  }
  return 1;
}
