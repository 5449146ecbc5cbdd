// profile/internal/mappings.h: where the program's files lie in memory.
// Layer     8. A goroutine, or a thread that gort did not make. Allocates.
#ifndef GORT_PROFILE_INTERNAL_MAPPINGS_H_
#define GORT_PROFILE_INTERNAL_MAPPINGS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace gort::rt {

// A part of a program or library with code in it.
struct CodeMapping {
  uint64_t start;
  uint64_t limit;
  uint64_t offset;       // in the file
  std::string file;      // its path
  std::string build_id;  // in hexadecimal digits; empty: it has none
};

std::vector<CodeMapping> CodeMappings();

}  // namespace gort::rt

#endif  // GORT_PROFILE_INTERNAL_MAPPINGS_H_
