// Programs that end badly, by name; fatal_test.cc runs them and looks at how they ended.
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>

#include "gort/chan/chan.h"
#include "gort/chan/select.h"
#include "gort/tests/support/goroutines.h"

namespace gort {
namespace {

struct Scenario {
  const char* name;
  void (*run)();
};

constexpr Scenario kScenarios[] = {
    {"recv-nil", [] { Chan<int>().Recv(); }},
    {"send-nil", [] { Chan<int>().Send(1); }},
    {"recv", [] { MakeChan<int>().Recv(); }},
    {"send", [] { MakeChan<int>().Send(1); }},
    {"select", [] { Select(OnRecv(MakeChan<int>()), OnSend(MakeChan<int>(), 1)); }},
    {"select-none", [] { Select(); }},
    {"panic-send",
     [] {
       Chan<int> ch = MakeChan<int>();
       ch.Close();
       ch.Send(1);
     }},
    {"panic-close",
     [] {
       Chan<int> ch = MakeChan<int>();
       ch.Close();
       ch.Close();
     }},
    {"panic-close-nil", [] { Chan<int>().Close(); }},
    {"panic-in-goroutine",
     [] {
       Chan<int> ch = MakeChan<int>();
       Chan<int> never = MakeChan<int>();
       Go([ch, never] {
         ch.Close();
         Select(OnSend(ch, 1), OnRecv(never));
       });
       never.Recv();
     }},
};

}  // namespace
}  // namespace gort

int main(int argc, char** argv) {
  for (const gort::Scenario& s : gort::kScenarios) {
    if (argc == 2 && strcmp(argv[1], s.name) == 0) {
      gort::testing::InGort(s.run);
      return 0;
    }
  }
  fprintf(stderr, "no such scenario\n");
  return 3;
}
