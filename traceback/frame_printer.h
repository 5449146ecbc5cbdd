// traceback/frame_printer.h: frames as text.
// Layer     5. Package-internal. Allocates nothing; async-signal-safe.       Go: traceback1
#ifndef GORT_TRACEBACK_FRAME_PRINTER_H_
#define GORT_TRACEBACK_FRAME_PRINTER_H_

#include <cstdint>

#include "gort/base/hook.h"
#include "gort/base/throw.h"
#include "gort/traceback/lines.h"
#include "gort/traceback/symbolize.h"
#include "gort/traceback/unwind.h"

namespace gort::rt {

// The lines of an address. The default knows none; set by runtime/internal/boot.cc, so that a program
// which links the scheduler alone has no reader of debug information.
extern Hook<SourceLines(const Symbol&)> source_lines_hook;

// Whether ShowAllFrames (traceback.h) was called.
bool ShowsAllFrames();

// Prints the functions of the program, and leaves out those by which the runtime and the standard
// library call them (frame_filter.h), unless ShowAllFrames was called, or the runtime itself has failed:
// the innermost frame is rt::Throw, or a signal interrupted the runtime.
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
  // No frame was added.
  bool empty() const { return !added_; }

  static constexpr int kInner = 50;
  static constexpr int kOuter = 50;

 private:
  bool RuntimeFailed(const Frame& frame) const;

  Printer& p_;
  uintptr_t skip_to_ = 0;  // 0: nothing (any more)
  int n_ = 0;
  bool added_ = false;
  bool all_ = false;    // frames of the runtime are shown
  Frame hidden_ = {};   // the outermost of those that were left out
  Frame last_[kOuter];  // a ring of those from number kInner on
};

// "created by f() in goroutine n" (n 0: not said) and the place of pc.
void PrintCreator(Printer& p, uintptr_t pc, uint64_t goid);

}  // namespace gort::rt

#endif  // GORT_TRACEBACK_FRAME_PRINTER_H_
