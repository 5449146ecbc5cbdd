// base/version.h: which version of gort this is.
// What      GORT_VERSION, for the preprocessor to compare, and the same as text. The one source: CMakeLists.txt
//           reads the version here, and tools/checks/version.py holds CHANGELOG.md and MODULE.bazel to it.
// Layer     1. Public: #include "gort/base/version.h".
#ifndef GORT_BASE_VERSION_H_
#define GORT_BASE_VERSION_H_

#define GORT_VERSION_MAJOR 0
#define GORT_VERSION_MINOR 1
#define GORT_VERSION_PATCH 0
#define GORT_VERSION_STRING "0.1.0"

// One number that grows with the version: 10203 for 1.2.3.
#define GORT_VERSION (GORT_VERSION_MAJOR * 10000 + GORT_VERSION_MINOR * 100 + GORT_VERSION_PATCH)

#endif  // GORT_BASE_VERSION_H_
