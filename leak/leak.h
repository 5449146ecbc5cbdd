// gort/leak/leak.h: goroutines that wait for ever.
// What      Find stops the program for a moment and looks which of the goroutines that wait, for a channel,
//           a select, a lock, a WaitGroup, a Cond, a Semaphore or a Future, wait for something that nothing
//           in the program leads to any more: no variable, no block of memory that is in use, no goroutine
//           that can run. Nobody will ever wake them. Tracebacks of all goroutines say "leaked" of those
//           that the last search has found.
// Sure      of what it names, it does not name everything: any word that looks like an address counts as a
//           pointer. README.md says what is overlooked, and the few ways to hide a pointer from it.
// Cost      the program stands still meanwhile: see README.md. A thread that waits in a call of the kernel's
//           is interrupted by a signal, as by pre-emption; poll(2) and its like return EINTR.
// Layer     9. Public.
// Contract  | call | goroutine | other thread        | parks | allocates |
//           | Find |     x     | if gort::Run runs   |   x   |     x     |
// Go        the profile goroutineleak
#ifndef GORT_LEAK_LEAK_H_
#define GORT_LEAK_LEAK_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gort::leak {

struct Goroutine {
  uint64_t id = 0;         // as Goid() of it
  std::string name;        // GoOptions::name
  std::string waits_for;   // "chan receive"
  std::string created_by;  // the function that called Go, "main()"; empty: not known
  std::string created_at;  // "server/main.cc:12"; without debug information an object and an offset
  std::string traceback;   // as gort::Stack(true) has it, all three of the above included
};

struct Report {
  std::vector<Goroutine> leaked;  // in the order of their numbers
  // Why there was no search; empty: there was one. "threads do not stop", "not with a sanitizer", …
  std::string not_done;
  size_t waiting = 0;                // goroutines that were looked at
  size_t bytes = 0;                  // of memory that was read
  std::chrono::nanoseconds stopped;  // how long the program stood still
};

struct Options {
  // After this long with the program stopped the search is given up.
  std::chrono::nanoseconds most = std::chrono::seconds(5);
};

// Searches once. Two at a time wait for each other.
Report Find(const Options& options = {});

// What the last search of this process has found; -1: there was none.
int64_t LastCount();

}  // namespace gort::leak

#endif  // GORT_LEAK_LEAK_H_
