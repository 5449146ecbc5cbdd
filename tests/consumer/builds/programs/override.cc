// malloc and operator new of this program are gort's. Prints whether they are.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "gort/malloc/malloc.h"

int main() {
  const uint64_t before = gort::malloc::ReadStats().in_use;
  // Written to, because a compiler may leave out what nobody looks at.
  volatile char* p = static_cast<char*>(std::malloc(1 << 20));
  volatile char* q = new char[1 << 20];
  *p = *q = 1;
  const bool ours = gort::malloc::ReadStats().in_use >= before + (2 << 20);
  delete[] q;
  std::free(const_cast<char*>(p));
  std::printf("malloc is %s\n", ours ? "gort's" : "not gort's");
  return 0;
}
