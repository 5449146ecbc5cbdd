// apps/treewc/read.h: counting one file.
#ifndef GORT_APPS_TREEWC_READ_H_
#define GORT_APPS_TREEWC_READ_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "gort/apps/treewc/count.h"
#include "gort/apps/treewc/walk.h"

namespace treewc {

struct FileResult {
  Counts counts;               // of what could be read
  const char* what = nullptr;  // what failed: "open"; null: nothing
  int error = 0;               // errno value; 0: no longer a regular file
};

// Counts the file in chunks of the size of *buffer, and adds the bytes read to *bytes. Must be
// called from a goroutine: a call of gort::Blocking opens the file and reads the first chunk, and
// one reads each further chunk.
FileResult CountFile(const FilePlace& place, TextMode mode, std::vector<char>* buffer,
                     std::atomic<uint64_t>* bytes);

}  // namespace treewc

#endif  // GORT_APPS_TREEWC_READ_H_
