// The workloads of locks: mutex, rwmutex.
#include <cstdint>

#include "gort/bench/workload.h"
#include "gort/runtime.h"
#include "gort/sync/sync.h"

namespace gort::bench {

// n lock/unlock pairs by each of 8 goroutines.
Values MutexPairs(int64_t n) {
  return NsPer(8 * n, [n] {
    Mutex mu;
    int64_t count = 0;
    Group g;
    g.Start(8, [&mu, &count, n](int64_t) {
      for (int64_t i = 0; i < n; ++i) {
        mu.Lock();
        ++count;
        mu.Unlock();
      }
    });
    g.Wait();
    Check(count == 8 * n);
  });
}

// n read locks in total by 8 readers, beside one writer that takes n/1000 write locks and yields
// after each; for each lock/unlock of either kind.
Values RWMutexPairs(int64_t n) {
  const int64_t each = (n + 7) / 8;
  const int64_t writes = n / 1000;
  return NsPer(8 * each + writes, [each, writes] {
    RWMutex mu;
    int64_t written = 0;
    Group writer;
    writer.Start(1, [&mu, &written, writes](int64_t) {
      for (int64_t i = 0; i < writes; ++i) {
        mu.Lock();
        ++written;
        mu.Unlock();
        Gosched();
      }
    });
    Group readers;
    readers.Start(8, [&mu, &written, each, writes](int64_t) {
      int64_t last = 0;
      for (int64_t i = 0; i < each; ++i) {
        mu.RLock();
        last = written;
        mu.RUnlock();
      }
      Check(last <= writes);
    });
    readers.Wait();
    writer.Wait();
    Check(written == writes);
  });
}

}  // namespace gort::bench
