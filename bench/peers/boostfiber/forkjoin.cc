// Boost.Fiber's side of the workload forkjoin of bench/workloads, and the same line:
//
//   boostfiber forkjoin procs=N ns_per_task VALUE ns
//
// Usage: forkjoin forkjoin [-procs N] [-n COUNT]
//
// A child is entered at once (launch::dispatch), on a stack of four pages. With one thread the
// scheduler is the default one and stacks are pooled; with more, work_stealing, whose stacks
// malloc hands from thread to thread. The value is the median of kReps timed runs after a warm-up
// of a tenth of the size.
#include <algorithm>
#include <boost/fiber/all.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace {

namespace fibers = boost::fibers;

constexpr int kReps = 5;

template <class Stacks>
int64_t Task(Stacks& stacks, int depth) {
  if (depth == 0) return 1;
  int64_t of_children[2] = {};
  auto child = [&stacks, depth, &of_children](int i) {
    return fibers::fiber(
        fibers::launch::dispatch, std::allocator_arg, stacks,
        [&stacks, depth, &of_children, i] { of_children[i] = Task(stacks, depth - 1); });
  };
  fibers::fiber first = child(0);
  fibers::fiber second = child(1);
  first.join();
  second.join();
  return 1 + of_children[0] + of_children[1];
}

// One timed run of a tree of at most n tasks: nanoseconds for each.
template <class Stacks>
double ForkJoin(Stacks& stacks, int64_t n) {
  int depth = 0;
  while ((int64_t{4} << depth) - 1 <= n) ++depth;
  const int64_t tasks = (int64_t{2} << depth) - 1;
  int64_t count = 0;
  const auto start = std::chrono::steady_clock::now();
  fibers::fiber(fibers::launch::dispatch, std::allocator_arg, stacks, [&] {
    count = Task(stacks, depth);
  }).join();
  const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
  if (count != tasks) abort();
  return elapsed.count() / static_cast<double>(tasks);
}

template <class Stacks>
double Median(int64_t n) {
  Stacks stacks(4 * boost::context::stack_traits::page_size());
  ForkJoin(stacks, n / 10 + 1);
  std::vector<double> values;
  for (int i = 0; i < kReps; ++i) values.push_back(ForkJoin(stacks, n));
  std::sort(values.begin(), values.end());
  return values[kReps / 2];
}

// The same with procs threads, this one among them.
double MedianOnThreads(int procs, int64_t n) {
  fibers::mutex mu;
  fibers::condition_variable_any ended;
  bool end = false;
  const auto threads_of = static_cast<uint32_t>(procs);
  std::vector<std::thread> threads;
  for (int i = 1; i < procs; ++i) {
    threads.emplace_back([&mu, &ended, &end, threads_of] {
      fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(threads_of);
      std::unique_lock<fibers::mutex> l(mu);
      ended.wait(l, [&end] { return end; });
    });
  }
  fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(threads_of);
  const double median = Median<fibers::fixedsize_stack>(n);
  {
    const std::lock_guard<fibers::mutex> l(mu);
    end = true;
  }
  ended.notify_all();
  for (std::thread& t : threads) t.join();
  return median;
}

[[noreturn]] void Usage() {
  fprintf(stderr, "usage: forkjoin forkjoin [-procs N] [-n COUNT]\n");
  exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc % 2 != 0 || strcmp(argv[1], "forkjoin") != 0) Usage();
  int64_t procs = 1;
  int64_t n = int64_t{1} << 20;
  for (int i = 2; i < argc; i += 2) {
    int64_t* where = strcmp(argv[i], "-procs") == 0 ? &procs
                     : strcmp(argv[i], "-n") == 0   ? &n
                                                    : nullptr;
    if (where == nullptr) Usage();
    *where = strtoll(argv[i + 1], nullptr, 10);
  }
  if (procs < 1 || n < 1) Usage();
  const double value = procs == 1 ? Median<fibers::pooled_fixedsize_stack>(n)
                                  : MedianOnThreads(static_cast<int>(procs), n);
  printf("boostfiber forkjoin procs=%d ns_per_task %.2f ns\n", static_cast<int>(procs), value);
  return 0;
}
