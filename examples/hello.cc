// examples/hello.cc: prints from a goroutine; the program to step through in a debugger.
//
//   gdb -ex 'break _rt0_amd64_linux' -ex run bazel-bin/examples/hello
#include <cstdio>

#include "gort/runtime.h"

int gort_main(int argc, char** argv) {
  const char* who = argc > 1 ? argv[1] : "world";
  int left = 3;
  for (int i = 0; i < 3; ++i) {
    gort::Go([who, i, &left] {
      printf("hello, %s, from goroutine %d\n", who, i + 1);
      --left;
    });
    while (left == 3 - i) gort::Gosched();
  }
  return 0;
}
