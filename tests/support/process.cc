#include "gort/tests/support/process.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "gort/base/attributes.h"

namespace gort::testing {

std::vector<std::string> RunUnder() {
  const char* under = getenv("GORT_RUN_UNDER");
  std::istringstream words(under != nullptr ? under : "");
  std::vector<std::string> result;
  for (std::string word; words >> word;) result.push_back(word);
  return result;
}

bool Emulated() { return !RunUnder().empty(); }

bool Slow() { return GORT_ASAN || GORT_TSAN || Emulated(); }

// /proc/self/statm: the size of the address space in pages, then what of it is resident.
int64_t ResidentBytes() {
  long long size = 0;
  long long resident = 0;
  FILE* f = fopen("/proc/self/statm", "re");
  if (f == nullptr || fscanf(f, "%lld %lld", &size, &resident) != 2) {  // NOLINT(cert-err34-c)
    perror("/proc/self/statm");
    abort();
  }
  fclose(f);
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace gort::testing
