// trace/internal/spill.h: chunks of a long recording, put aside in a file without a name.
// What      complete chunks are written as they are and given back; at the end they are mapped, and the
//           chains of the streams lead through them to what is still in memory.
// Layer     7. One thread, which may block in the kernel.
#ifndef GORT_TRACE_INTERNAL_SPILL_H_
#define GORT_TRACE_INTERNAL_SPILL_H_

#include <cstddef>
#include <cstdint>

#include "gort/trace/internal/recorder.h"

namespace gort::rt {

class Spill {
 public:
  // The file is made beside that of `path`, or in /tmp, or in memory, when it is first needed.
  explicit Spill(const char* path) : path_(path) {}
  ~Spill();
  Spill(const Spill&) = delete;
  Spill& operator=(const Spill&) = delete;

  // Writes each stream's complete chunks and gives them back.
  void Take();
  // The chains of the recording, which has ended: kStreams first chunks. False: no memory, or the file could not be
  // written. They are good as long as this and the recording are.
  bool Chains(Chunk** firsts);
  int error() const { return error_; }

 private:
  bool Open();
  void Write(const Chunk& chunk);

  const char* const path_;
  int fd_ = -1;
  int error_ = 0;
  size_t chunks_ = 0;  // in the file
  Chunk* mapped_ = nullptr;
  Chunk* lasts_[kStreams];  // Chains' own
};

}  // namespace gort::rt

#endif  // GORT_TRACE_INTERNAL_SPILL_H_
