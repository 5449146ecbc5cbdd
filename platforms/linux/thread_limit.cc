#include "gort/platforms/thread_limit.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

#include "gort/platforms/cgroup.h"

namespace gort::rt {
namespace {

int64_t Nproc() {
  const int saved = errno;
  rlimit limit;
  const bool known = getrlimit(RLIMIT_NPROC, &limit) == 0;
  errno = saved;
  if (!known || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > INT64_MAX) return INT64_MAX;
  return static_cast<int64_t>(limit.rlim_cur);
}

}  // namespace

int64_t ThreadLimit() { return ThreadLimitOf("", Nproc()); }

int64_t ThreadLimitOf(const char* root, int64_t nproc) {
  const int64_t n = std::min({nproc, CgroupPids(root), SystemThreads(root)});
  return std::max(n, int64_t{1});
}

}  // namespace gort::rt
