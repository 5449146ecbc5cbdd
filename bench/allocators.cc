// bench/allocators.cc: what malloc and free cost. bench/compare_malloc runs it with one allocator after
// another.
//
//   allocators ROW THREADS    prints CPU nanoseconds an operation and the peak of resident KiB
//
// An operation is one malloc and one free. The program knows nothing of gort, so that LD_PRELOAD can
// bring any allocator; //bench:allocators_linked is the same with gort's linked in.
#include <sys/resource.h>

#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

namespace {

// The same numbers for each allocator.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 1) {}
  uint32_t Below(uint32_t n) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<uint32_t>((state_ >> 32) * n >> 32);
  }

 private:
  uint64_t state_;
};

// As a program does, which a compiler may not leave out.
void* Take(size_t bytes) {
  auto* p = static_cast<char*>(std::malloc(bytes));
  *static_cast<volatile char*>(p) = 1;
  return p;
}

uint64_t Replace(Random* random, uint64_t ops, size_t live, uint32_t least, uint32_t most) {
  std::vector<void*> blocks(live);
  for (void*& p : blocks) p = Take(least + random->Below(most - least + 1));
  for (uint64_t i = 0; i < ops; ++i) {
    void*& p = blocks[random->Below(static_cast<uint32_t>(live))];
    std::free(p);
    p = Take(least + random->Below(most - least + 1));
  }
  for (void* p : blocks) std::free(p);
  return ops + live;
}

uint64_t Mixed(Random* random) { return Replace(random, 4'000'000, 2000, 8, 1024); }

uint64_t Pair(Random*) {
  constexpr uint64_t kOps = 12'000'000;
  for (uint64_t i = 0; i < kOps; ++i) std::free(Take(64));
  return kOps;
}

uint64_t Batch(Random* random) {
  constexpr uint64_t kRounds = 80'000;
  void* blocks[100];
  for (uint64_t i = 0; i < kRounds; ++i) {
    const size_t bytes = 16 + random->Below(16) * 16;
    for (void*& p : blocks) p = Take(bytes);
    for (void* p : blocks) std::free(p);
  }
  return kRounds * 100;
}

uint64_t Large(Random* random) { return Replace(random, 300'000, 16, 40'000, 1 << 20); }

// A queue of batches between two threads.
class Pipe {
 public:
  using Batch = std::vector<void*>;

  // Gives a full batch away and gets an empty one.
  void Send(Batch* b) {
    std::unique_lock l(mu_);
    changed_.wait(l, [this] { return full_.size() < 8; });
    full_.emplace_back(std::move(*b));
    b->clear();
    if (!empty_.empty()) {
      *b = std::move(empty_.back());
      empty_.pop_back();
    }
    changed_.notify_one();
  }
  void Receive(Batch* b) {
    std::unique_lock l(mu_);
    b->clear();
    if (b->capacity() != 0) empty_.push_back(std::move(*b));
    changed_.wait(l, [this] { return !full_.empty(); });
    *b = std::move(full_.front());
    full_.erase(full_.begin());
    changed_.notify_one();
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  std::vector<Batch> full_;
  std::vector<Batch> empty_;
};

constexpr uint64_t kRemoteRounds = 8000;
constexpr size_t kRemoteBatch = 250;

uint64_t Produce(Pipe* pipe, Random* random) {
  Pipe::Batch b;
  for (uint64_t i = 0; i < kRemoteRounds; ++i) {
    for (size_t k = 0; k < kRemoteBatch; ++k) b.push_back(Take(16 + random->Below(240)));
    pipe->Send(&b);
  }
  return kRemoteRounds * kRemoteBatch;
}

void Consume(Pipe* pipe) {
  Pipe::Batch b;
  for (uint64_t i = 0; i < kRemoteRounds; ++i) {
    pipe->Receive(&b);
    for (void* p : b) std::free(p);
  }
}

struct Row {
  const char* name;
  uint64_t (*run)(Random*);  // null: Produce and Consume
};

constexpr Row kRows[] = {
    {"mixed", Mixed}, {"pair", Pair}, {"batch", Batch}, {"large", Large}, {"remote", nullptr}};

double CpuNs() {
  rusage u;
  getrusage(RUSAGE_SELF, &u);
  const auto ns = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_usec) * 1e3;
  };
  return ns(u.ru_utime) + ns(u.ru_stime);
}

int64_t PeakKib() {
  char line[128];
  long long kib = 0;
  std::FILE* f = std::fopen("/proc/self/status", "re");
  while (f != nullptr && std::fgets(line, sizeof line, f) != nullptr) {
    if (std::sscanf(line, "VmHWM: %lld", &kib) == 1) break;
  }
  if (f != nullptr) std::fclose(f);
  return kib;
}

int Run(const Row& row, int threads) {
  std::vector<Pipe> pipes(static_cast<size_t>(threads));
  std::vector<uint64_t> ops(static_cast<size_t>(threads));
  std::vector<std::thread> all;
  const double before = CpuNs();
  for (size_t i = 0; i < ops.size(); ++i) {
    all.emplace_back([&row, &pipes, &ops, i] {
      Random random(i + 1);
      if (row.run != nullptr) {
        ops[i] = row.run(&random);
      } else if (i % 2 == 0) {
        ops[i] = Produce(&pipes[i], &random);
      } else {
        Consume(&pipes[i - 1]);
      }
    });
  }
  for (std::thread& t : all) t.join();
  const double spent = CpuNs() - before;
  uint64_t sum = 0;
  for (const uint64_t n : ops) sum += n;
  std::printf("%.2f %lld\n", spent / static_cast<double>(sum), static_cast<long long>(PeakKib()));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc == 3 ? std::atoi(argv[2]) : 0;
  for (const Row& row : kRows) {
    const bool fits = row.run != nullptr ? threads > 0 : threads > 0 && threads % 2 == 0;
    if (fits && std::strcmp(argv[1], row.name) == 0) return Run(row, threads);
  }
  std::fprintf(stderr, "usage: allocators mixed|pair|batch|large|remote THREADS\n");
  return 2;
}
