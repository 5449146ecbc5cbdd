// platforms/thread_limit.h: how many threads the process may have.
// What      the tightest of RLIMIT_NPROC, which counts the threads of the user; pids.max of the
//           control groups, v1 and v2, this one and its ancestors; and kernel.threads-max, which
//           counts the system's. Each counts others' threads too, so the caller shall stay well
//           below and be ready for clone to fail all the same. The kernel does not hold root to
//           RLIMIT_NPROC; it counts here, because whether the process is root for the kernel is
//           not told by its user id.
// Layer     2. Any thread; allocates nothing; errno is left as it was. Needs 20 KiB of stack.
// Errors    none: whatever cannot be read or understood is taken for "no limit".
#ifndef GORT_PLATFORMS_THREAD_LIMIT_H_
#define GORT_PLATFORMS_THREAD_LIMIT_H_

#include <cstdint>

namespace gort::rt {

// 1 at least; INT64_MAX: no limit. Asks anew each time, with a system call and some small files.
int64_t ThreadLimit();

// The same of a copy of the system's files under `root` ("": its own), with `nproc` for the soft
// limit RLIMIT_NPROC. For tests.
int64_t ThreadLimitOf(const char* root, int64_t nproc);

}  // namespace gort::rt

#endif  // GORT_PLATFORMS_THREAD_LIMIT_H_
