#include "gort/traceback/frame_filter.h"

#include <cstring>

namespace gort::rt {
namespace {

bool Begins(const char* name, const char* prefix) {
  return strncmp(name, prefix, strlen(prefix)) == 0;
}

bool Ends(const char* name, const char* suffix) {
  const size_t n = strlen(name);
  const size_t m = strlen(suffix);
  return n >= m && strcmp(name + n - m, suffix) == 0;
}

constexpr const char* kPlumbing[] = {
    "gort::rt::", "gort_",      "__cxa_",      "__cxxabiv1::",   "__gnu_cxx::__",  "_Unwind_",
    "std::_",     "std::apply", "std::invoke", "std::function<", "std::terminate", "__gxx_",
};

}  // namespace

bool IsPlumbing(const char* name) {
  if (strcmp(name, "gort_main") == 0) return false;
  for (const char* prefix : kPlumbing) {
    if (Begins(name, prefix)) return true;
  }
  // The closures of gort's own functions (WaitGroup::Task, lambdas), and what starts goroutines.
  return Begins(name, "gort::") && (Ends(name, "::operator()") || Ends(name, "::Go<...>"));
}

bool IsSpawner(const char* name) { return IsPlumbing(name) || Begins(name, "gort::"); }

bool IsSystemLibrary(const char* object) {
  const char* slash = strrchr(object, '/');
  const char* file = slash != nullptr ? slash + 1 : object;
  return Begins(file, "libc.so") || Begins(file, "libstdc++.so") || Begins(file, "libgcc_s.so");
}

bool IsLibraryFolder(const char* dir) {
  return strstr(dir, "include/gort/") != nullptr || strstr(dir, "include/c++/") != nullptr;
}

bool IsRuntime(const char* name) { return Begins(name, "gort::rt::"); }

}  // namespace gort::rt
