// Programs that are traced from outside, or that end in ways in which a trace must still be written.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gort/chan/chan.h"
#include "gort/runtime.h"
#include "gort/sync/mutex.h"
#include "gort/sync/wait_group.h"
#include "gort/timer/sleep.h"
#include "gort/trace/trace.h"

namespace {

using gort::Chan;

// Every kind of event that a program brings about by itself.
int Everything() {
  gort::trace::Task task("the whole");
  gort::WaitGroup wg;
  const Chan<int> c = gort::MakeChan<int>();
  gort::GoOptions named;
  named.name = "receiver";
  wg.Add(1);
  gort::Go(named, [&wg, c] {
    gort::trace::Region region("receiving");
    while (c.Recv()) {
    }
    gort::trace::Log("closed");
    wg.Done();
  });
  for (int i = 0; i < 100; ++i) c.Send(i);
  gort::Blocking([] {});
  gort::GOMAXPROCS(3);
  c.Close();
  wg.Wait();
  return 0;
}

// A child that ends by exit(3), whose handlers are those of the parent.
int Forks() {
  Everything();
  const pid_t child = fork();
  if (child == 0) exit(0);
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

void Compute(absl::Duration time) {
  const absl::Time end = absl::Now() + time;
  while (absl::Now() < end) {
  }
}

// A lock convoy: who writes the table keeps its lock until all who read it stand in line, three times.
int Convoy() {
  constexpr int kReaders = 16;
  gort::Mutex table;
  std::atomic<int> at_the_lock{0};
  std::atomic<bool> over{false};
  gort::WaitGroup wg;
  const auto add = [&wg](const char* name, auto f) {
    gort::GoOptions named;
    named.name = name;
    wg.Add(1);
    gort::Go(named, [&wg, f] {
      f();
      wg.Done();
    });
  };
  for (int i = 0; i < kReaders; ++i) {
    add("reader", [&] {
      while (!over) {
        Compute(absl::Microseconds(20));
        ++at_the_lock;
        std::lock_guard held(table);
        --at_the_lock;
        Compute(absl::Microseconds(2));
      }
    });
  }
  add("slow writer", [&] {
    for (int i = 0; i < 3; ++i) {
      gort::Sleep(absl::Milliseconds(4));
      std::lock_guard held(table);
      while (at_the_lock < kReaders) gort::Sleep(absl::Milliseconds(1));
      gort::Sleep(absl::Milliseconds(8));
    }
    over = true;
  });
  wg.Wait();
  return 0;
}

void Work(int rounds) {
  gort::WaitGroup wg;
  for (int i = 0; i < rounds; ++i) wg.Go([] { gort::Gosched(); });
  wg.Wait();
}

gort::trace::FlightRecorder* recorder = nullptr;

// A recorder that writes $TRACE_FILE when the program dies, which is what `die` does.
template <class F>
int Recorded(F die) {
  gort::trace::FlightRecorder::Options options;
  options.bytes = 256 << 10;
  options.on_failure = getenv("TRACE_FILE");
  static gort::trace::FlightRecorder the(options);
  recorder = &the;
  if (!recorder->Start().ok()) return 3;
  gort::trace::Log("long ago");
  Work(20'000);
  gort::trace::Log("the last thing");
  die();
  return 4;
}

// Starts without the environment, and exits without Stop.
int ExitsWithoutStop() {
  if (!gort::trace::Start(getenv("TRACE_FILE")).ok()) return 3;
  Everything();
  exit(7);
}

// Dies while a thread is in Stop.
int DiesInStop() {
  if (!gort::trace::Start(getenv("TRACE_FILE")).ok()) return 3;
  Everything();
  Work(10'000);
  std::thread([] { static_cast<void>(gort::trace::Stop()); }).detach();
  while (gort::trace::Recording()) std::this_thread::yield();
  throw std::runtime_error("boom");
}

// Dies while a thread writes what a recorder keeps.
int DiesInWriteTo() {
  return Recorded([] {
    static std::atomic<int> written{0};
    std::thread([] {
      while (recorder->WriteTo("/dev/null").ok()) ++written;
    }).detach();
    while (written < 2) usleep(1000);
    throw std::runtime_error("boom");
  });
}

// Somebody holds the lock and computes; who watches sees that nobody gets on, and writes down why.
int Stalls() {
  static gort::Mutex mu;
  static std::atomic<bool> held{false};
  static std::atomic<uint64_t> progress{0};
  const char* file = getenv("TRACE_FILE");
  gort::trace::FlightRecorder::Options options;
  options.bytes = 256 << 10;
  static gort::trace::FlightRecorder keeps(options);
  if (!keeps.Start().ok()) return 3;
  Work(20'000);
  gort::trace::Log("the last thing");
  std::thread([file] {
    uint64_t seen = 0;
    do {
      seen = progress;
      usleep(200'000);
    } while (!held || seen != progress);
    _exit(keeps.WriteTo(file).ok() ? 9 : 3);
  }).detach();
  gort::GoOptions named;
  for (int i = 0; i < 4; ++i) {
    named.name = "waiter";
    gort::Go(named, [] {
      while (true) {
        const std::lock_guard lock(mu);
        ++progress;
        gort::Gosched();
      }
    });
  }
  named.name = "hog";
  gort::Go(named, [] {
    const std::lock_guard lock(mu);
    held = true;
    while (true) asm volatile("" ::: "memory");
  });
  gort::MakeChan<int>().Recv();
  return 4;
}

// A goroutine computes, where nobody can interrupt it, until the recorder says by itself that others wait.
int Stands() {
  gort::GOMAXPROCS(1);
  static const char* file = getenv("TRACE_FILE");
  gort::trace::FlightRecorder::Options options;
  options.bytes = 256 << 10;
  options.on_stall = file;
  // Longer than a busy machine leaves a thread without a CPU that has nothing else to do here.
  options.stall = std::chrono::seconds(1);
  static gort::trace::FlightRecorder keeps(options);
  if (!keeps.Start().ok()) return 3;
  gort::trace::Log("the last thing");
  gort::WaitGroup all;
  gort::GoOptions named;
  named.name = "hog";
  all.Go(named, [] {
    while (access(file, F_OK) != 0) {
      for (int i = 0; i < 100'000; ++i) asm volatile("" ::: "memory");
    }
  });
  named.name = "waiter";
  for (int i = 0; i < 3; ++i) all.Go(named, [] { gort::Gosched(); });
  all.Wait();
  return keeps.Stop().ok() ? 9 : 3;  // when the file is complete
}

// Children that are born while another thread takes memory for events, and have something to say.
int ForksBusily() {
  if (!gort::trace::Start("/dev/null").ok()) return 3;
  std::atomic<bool> stop{false};
  std::thread other([&stop] {
    while (!stop)
      gort::trace::Log("from another thread, and with a text that fills chunks quickly");
  });
  int status = 0;
  for (int i = 0; i < 100 && status == 0; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      for (int k = 0; k < 5000; ++k) gort::trace::Log("from a child");
      _exit(gort::trace::Recording() ? 1 : 0);
    }
    waitpid(child, &status, 0);
  }
  stop = true;
  other.join();
  return status == 0 && gort::trace::Stop().ok() ? 0 : 1;
}

int* volatile nowhere = nullptr;

// A child that dies has nothing to tell of its parent, which ends well.
void ChildDies() {
  const pid_t child = fork();
  if (child == 0) throw std::runtime_error("the child's");
  int status = 0;
  waitpid(child, &status, 0);
  exit(WIFEXITED(status) && WEXITSTATUS(status) == 2 ? 0 : 5);
}

const std::map<std::string, int (*)()>& Scenarios() {
  static const std::map<std::string, int (*)()> all = {
      {"everything", &Everything},
      {"exits",
       [] {
         Everything();
         exit(7);
         return 0;
       }},
      {"panics",
       [] {
         Everything();
         throw std::runtime_error("boom");
         return 0;
       }},
      {"deadlocks",
       [] {
         Everything();
         gort::MakeChan<int>().Recv();
         return 0;
       }},
      {"forks", &Forks},
      {"convoy", &Convoy},
      {"exits_without_stop", &ExitsWithoutStop},
      {"dies_in_stop", &DiesInStop},
      {"dies_in_write_to", &DiesInWriteTo},
      {"stalls", &Stalls},
      {"stands", &Stands},
      {"forks_busily", &ForksBusily},
      {"recorded_deadlock", [] { return Recorded([] { gort::MakeChan<int>().Recv(); }); }},
      {"recorded_panic", [] { return Recorded([] { throw std::runtime_error("boom"); }); }},
      {"recorded_fault", [] { return Recorded([] { *nowhere = 1; }); }},
      {"recorded_abort", [] { return Recorded([] { abort(); }); }},
      {"recorded_end", [] { return Recorded([] { exit(0); }); }},
      {"recorded_child", [] { return Recorded(&ChildDies); }},
  };
  return all;
}

}  // namespace

int gort_main(int argc, char** argv) {
  const auto it = argc == 2 ? Scenarios().find(argv[1]) : Scenarios().end();
  if (it == Scenarios().end()) return 64;
  return it->second();
}
