// apps/common/flags.h: command lines of programs: gflags' flags, with errors in one line and status
// 2.
#ifndef GORT_APPS_COMMON_FLAGS_H_
#define GORT_APPS_COMMON_FLAGS_H_

#include <string>
#include <vector>

namespace apps {

// Sets the flags that argv names (--flag=value, --flag value, --flag and --noflag; -flag as well)
// and returns the other arguments in order; after "--" everything is an argument. --help and -h
// print `usage` and the flags that `file` (its __FILE__) defines, and exit with status 0. An
// unknown flag or a bad value is one line on stderr and exit status 2.
std::vector<std::string> ParseFlags(int argc, char** argv, const char* usage, const char* file);

// "program: message; try --help" on stderr, and exit status 2.
[[noreturn]] void BadUsage(const std::string& message);

}  // namespace apps

#endif  // GORT_APPS_COMMON_FLAGS_H_
