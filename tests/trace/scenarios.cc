// Programs that are traced from outside, or that end in ways in which a trace must still be written.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>

#include "gort/chan/chan.h"
#include "gort/runtime.h"
#include "gort/sync/wait_group.h"
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

void Work(int rounds) {
  gort::WaitGroup wg;
  for (int i = 0; i < rounds; ++i) wg.Go([] { gort::Gosched(); });
  wg.Wait();
}

// A recorder that writes $TRACE_FILE when the program dies, which is what `die` does.
template <class F>
int Recorded(F die) {
  gort::trace::FlightRecorder::Options options;
  options.bytes = 256 << 10;
  options.on_failure = getenv("TRACE_FILE");
  static gort::trace::FlightRecorder recorder(options);
  if (!recorder.Start().ok()) return 3;
  gort::trace::Log("long ago");
  Work(50'000);
  gort::trace::Log("the last thing");
  die();
  return 4;
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
