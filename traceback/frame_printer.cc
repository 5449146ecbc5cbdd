#include "gort/traceback/frame_printer.h"

#include "gort/traceback/demangle.h"
#include "gort/traceback/symbolize.h"

namespace gort::rt {
namespace {

void PrintName(Printer& p, const Symbol& symbol) {
  char name[512];
  if (symbol.name == nullptr) {
    p << "??";
  } else if (Demangle(symbol.name, name, sizeof name)) {
    p << name;
  } else {
    p << symbol.name;
  }
}

void PrintPlace(Printer& p, const Symbol& symbol, uintptr_t pc) {
  p << '\t';
  if (symbol.object[0] == '\0') {
    p.Hex(pc);
  } else {
    (p << symbol.object << '+').Hex(symbol.offset);
  }
  p << '\n';
}

void PrintFrame(Printer& p, const Frame& frame) {
  Symbol symbol;
  Symbolize(frame.lookup_pc(), &symbol);
  PrintName(p, symbol);
  p << "(...)\n";
  PrintPlace(p, symbol, frame.pc);
}

}  // namespace

void FramePrinter::Add(const Frame& frame) {
  if (skip_to_ != 0 && frame.sp <= skip_to_) return;
  skip_to_ = 0;
  if (n_ < kInner) {
    PrintFrame(p_, frame);
  } else {
    last_[n_ % kOuter] = frame;
  }
  ++n_;
}

void FramePrinter::Finish() {
  if (n_ <= kInner) return;
  int from = kInner;
  if (n_ > kInner + kOuter) {
    from = n_ - kOuter;
    p_ << "...(" << from - kInner << " frames elided)...\n";
  }
  for (int i = from; i < n_; ++i) PrintFrame(p_, last_[i % kOuter]);
}

void PrintCreator(Printer& p, uintptr_t pc, uint64_t goid) {
  Symbol symbol;
  Symbolize(pc, &symbol);
  p << "created by ";
  PrintName(p, symbol);
  p << "()";
  if (goid != 0) p << " in goroutine " << goid;
  p << '\n';
  PrintPlace(p, symbol, pc);
}

}  // namespace gort::rt
