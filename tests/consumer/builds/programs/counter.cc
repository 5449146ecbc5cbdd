// A library with gort inside, for programs that load it while they run: from_python.py.
#include <atomic>
#include <string>

#include "gort/gort.h"

namespace {

struct Refused {};

}  // namespace

// Starts n goroutines that count, and returns what they counted.
extern "C" int count_to(int n) {
  return gort::Run([n] {
    std::atomic<int> counted = 0;
    gort::WaitGroup all;
    for (int i = 0; i < n; ++i) {
      all.Go([&] {
        gort::Gosched();
        counted.fetch_add(1);
      });
    }
    all.Wait();
    return counted.load();
  });
}

// Calls f(n) on a goroutine.
extern "C" int call_on_goroutine(int (*f)(int), int n) {
  return gort::Run([=] { return f(n); });
}

// Two goroutines on one processor: the first loops without a call until the second, which only pre-emption lets run, ends it. 1: it did.
extern "C" int interrupt_loop() {
  return gort::Run([] {
    const int before = gort::GOMAXPROCS(1);
    std::atomic<bool> stop = false;
    gort::WaitGroup all;
    all.Go([&] {
      while (!stop.load(std::memory_order_relaxed)) {
      }
    });
    all.Go([&] { stop.store(true); });
    all.Wait();
    gort::GOMAXPROCS(before);
    return 1;
  });
}

// Whether an exception finds its way out of frames of this library, on a goroutine's stack, and gort's own with it.
extern "C" int catch_exceptions() {
  return gort::Run([] {
    int caught = 0;
    try {
      throw Refused();
    } catch (const Refused&) {
      ++caught;
    }
    gort::Chan<int> ch = gort::MakeChan<int>();
    ch.Close();
    try {
      ch.Send(1);
    } catch (const gort::Panic&) {
      ++caught;
    }
    return caught;
  });
}
