// A program that begins at gort's ELF entry, and passes by its exit status.

#include <cstdio>
#include <cstring>

#include "gort/runtime.h"

int gort_main(int argc, char** argv) {
  if (gort::Goid() == 0) {
    std::fprintf(stderr, "gort_main is no goroutine\n");
    return 1;
  }
  if (argc != 2 || std::strcmp(argv[1], "one") != 0) {
    std::fprintf(stderr, "argc %d\n", argc);
    return 1;
  }
  return 0;
}
