// tests/anycode/row.h: what a row of the table is, and what its code is given.
// What      Row, Task, Worker; Expect and its kin, by which a row says that a result is wrong.
// Contract  A row is plain C++: it names no function of gort, so that goroutines and threads run the
//           same code. Its workers call the library, and Worker::Next between two operations.
#ifndef GORT_TESTS_ANYCODE_ROW_H_
#define GORT_TESTS_ANYCODE_ROW_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

namespace anycode {

using Clock = std::chrono::steady_clock;

// One of the goroutines (threads) that run a row at once.
class Worker {
 public:
  Worker(int index, int workers, Clock::time_point end)
      : index_(index), workers_(workers), end_(end) {}

  // The caller is about to do one more operation, which counts. False when it shall not: the time is
  // up and it has done one at least, or a result was wrong.
  bool Next();

  int index() const { return index_; }
  int workers() const { return workers_; }
  int64_t ops() const { return ops_; }
  // For rows whose workers work in pairs: the other's index; workers() or more if there is none.
  int partner() const { return index_ ^ 1; }
  bool leads() const { return index_ % 2 == 0; }

 private:
  const int index_;
  const int workers_;
  const Clock::time_point end_;
  int64_t ops_ = 0;
};

// A row that is about to run: its shared state is in the functions' captures.
struct Task {
  std::function<void(Worker&)> work;
  // When every worker has ended, with the operations of all: what must hold then.
  std::function<void(int64_t ops)> check = [](int64_t) {};
  // Not zero: each operation waits so long in the kernel and needs no CPU. The workers' waits must
  // overlap, which they do where nobody keeps a P while it waits.
  std::chrono::milliseconds waits{0};
};

struct Row {
  const char* name;
  Task (*make)(int workers);
};

// Rows of one family, each in a file of that name.
struct Family {
  const char* name;
  std::vector<Row> rows;
};

// Defined by each program: which families it has.
std::vector<Family> AllFamilies();

// Says on stderr that a result is wrong, which ends the row and fails the program.
void Wrong(const char* format, ...) __attribute__((format(printf, 1, 2)));
bool AnyWrong();

inline void Expect(bool holds, const char* what) {
  if (!holds) Wrong("%s", what);
}

inline void ExpectEq(int64_t want, int64_t got, const char* what) {
  if (want != got) {
    Wrong("%s: %lld, not %lld", what, static_cast<long long>(got), static_cast<long long>(want));
  }
}

// A call that shows failure by a negative result and errno: what is not `want` is wrong, and said
// with errno.
void ExpectCall(int64_t want, int64_t got, const char* call);

// Computes for about `units` microseconds, with no call: a target for pre-emption.
void Burn(int units);

// What an exclusive lock guards: two inside at once disagree about it.
class Guarded {
 public:
  // The caller holds the lock, and stays inside for about `units` microseconds.
  void Visit(int units) {
    inside_ = inside_ + 1;
    entered_ = entered_ + 1;
    Burn(units);
    if (inside_ != 1) Wrong("%d are inside at once", inside_);
    inside_ = inside_ - 1;
  }
  int64_t entered() const { return entered_; }

 private:
  volatile int inside_ = 0;
  volatile int64_t entered_ = 0;
};

}  // namespace anycode

#endif  // GORT_TESTS_ANYCODE_ROW_H_
