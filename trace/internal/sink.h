// trace/internal/sink.h: the file that a trace goes to.
// Layer     7. One thread, which may block in the kernel.
#ifndef GORT_TRACE_INTERNAL_SINK_H_
#define GORT_TRACE_INTERNAL_SINK_H_

#include <cstddef>
#include <cstdint>

namespace gort::rt {

// No destructor: the one there is lives as long as the process, and a child of fork(2) that exits shall
// not write what its parent has in hand.
class Sink {
 public:
  static constexpr size_t kPacketBytes = 4096;  // Room and what is written there: at most so many

  Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  // Takes fd over. False: no memory.
  bool Open(int fd);
  // Where the next kPacketBytes may be written; Wrote(end) says how far.
  char* Room() {
    if (n_ + kPacketBytes > kBytes) Flush();
    return buffer_ + n_;
  }
  void Wrote(const char* end) { n_ = static_cast<size_t>(end - buffer_); }
  void Flush();
  // Writes what is left and closes the file. Returns the errno of the first failure, or 0. What came
  // after a failure was dropped.
  int Close();

 private:
  static constexpr size_t kBytes = size_t{256} << 10;

  char* buffer_ = nullptr;
  size_t n_ = 0;
  int fd_ = -1;
  int error_ = 0;
};

}  // namespace gort::rt

#endif  // GORT_TRACE_INTERNAL_SINK_H_
