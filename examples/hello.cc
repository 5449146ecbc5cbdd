// examples/hello.cc: prints from goroutines; the program to step through in a debugger.
//
//   gdb -ex 'break _rt0_amd64_linux' -ex run bazel-bin/examples/hello
#include <cstdio>

#include "gort/chan/chan.h"
#include "gort/runtime.h"

namespace {

// A function of its own, to set a breakpoint at.
__attribute__((noinline)) void Greet(const char* who, int n) {
  std::printf("hello, %s, from goroutine %d\n", who, n);
}

}  // namespace

int gort_main(int argc, char** argv) {
  const char* who = argc > 1 ? argv[1] : "world";
  gort::Chan<gort::Unit> done = gort::MakeChan<gort::Unit>();
  for (int n = 1; n <= 3; ++n) {
    gort::Go([=] {
      Greet(who, n);
      done.Send({});
    });
    done.Recv();
  }
  return 0;
}
