// tests/anycode/families.h: the rows of each family. A program's table chooses among them.
#ifndef GORT_TESTS_ANYCODE_FAMILIES_H_
#define GORT_TESTS_ANYCODE_FAMILIES_H_

#include "gort/tests/anycode/row.h"

namespace anycode {

// Of the C and C++ libraries.
Family Locks();         // locks.cc: mutexes that know their thread
Family Waiting();       // waiting.cc: what waits by a futex: conditions, semaphores, barriers
Family ThreadLocals();  // thread_locals.cc: what belongs to the thread
Family Yielding();      // yielding.cc: waiting by sched_yield
Family Timed();         // timed.cc: system calls with a time-out, which end by that alone
Family Fed();           // fed.cc: system calls that wait for another's data
Family Compute();       // compute.cc: functions that compute
Family Threads();    // threads.cc: threads that goroutines start, and more that synchronises them
Family Processes();  // processes.cc: streams, other processes, names, the loader
Family Kernel();     // kernel.cc: descriptors, file locks, timers, signals, faults
Family Whole();      // whole.cc: system calls that move many bytes at once

// Of Debian's.
Family Compression();  // compression.cc: zlib, zstd
Family Numbers();      // numbers.cc: GMP, OpenSSL
Family Sqlite();       // sqlite.cc
Family Tbb();          // tbb.cc
Family Boost();        // boost_locks.cc: recursive_mutex
Family Asio();         // boost_asio.cc
Family Protobuf();     // protobuf.cc
Family Curl();         // curl.cc
Family Absl();         // absl.cc
Family Glib();         // glib.cc
Family Lmdb();         // lmdb.cc
Family Libevent();     // libevent.cc
Family Zeromq();       // zeromq.cc
Family Python();       // python.cc
Family Uring();        // liburing.cc

}  // namespace anycode

#endif  // GORT_TESTS_ANYCODE_FAMILIES_H_
