// Begins at gort's ELF entry. Prints its argument from the main goroutine.
#include <cstdio>

#include "gort/runtime.h"

int gort_main(int argc, char** argv) {
  std::printf("goroutine %d of %s\n", static_cast<int>(gort::Goid() != 0),
              argc > 1 ? argv[1] : "nobody");
  return 0;
}
