// traceback/frame_printer.h: frames as text.
// Layer     5. Package-internal. Allocates nothing; async-signal-safe.       Go: traceback1
#ifndef GORT_TRACEBACK_FRAME_PRINTER_H_
#define GORT_TRACEBACK_FRAME_PRINTER_H_

#include <cstdint>

#include "gort/base/throw.h"
#include "gort/traceback/unwind.h"

namespace gort::rt {

// Prints the first kInner frames as they come and the last kOuter at the end, with a line between
// the two that says how many are missing.
class FramePrinter {
 public:
  explicit FramePrinter(Printer& p) : p_(p) {}
  FramePrinter(const FramePrinter&) = delete;
  FramePrinter& operator=(const FramePrinter&) = delete;

  // Leaves out the frames up to and with the one whose frame address this is: the reporter's own.
  void SkipTo(const void* frame_address) { skip_to_ = reinterpret_cast<uintptr_t>(frame_address); }
  void Add(const Frame& frame);
  // Counts a frame that is in the middle, and so is not printed.
  void Skip() { ++n_; }
  void Finish();
  bool empty() const { return n_ == 0; }

  static constexpr int kInner = 50;
  static constexpr int kOuter = 50;

 private:
  Printer& p_;
  uintptr_t skip_to_ = 0;  // 0: nothing (any more)
  int n_ = 0;
  Frame last_[kOuter];  // a ring of those from number kInner on
};

// "created by f() in goroutine n" (n 0: not said) and the place of pc.
void PrintCreator(Printer& p, uintptr_t pc, uint64_t goid);

}  // namespace gort::rt

#endif  // GORT_TRACEBACK_FRAME_PRINTER_H_
