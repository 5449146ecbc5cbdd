#include "gort/traceback/frame_printer.h"

#include <atomic>
#include <cstring>

#include "gort/traceback/demangle.h"
#include "gort/traceback/frame_filter.h"
#include "gort/traceback/traceback.h"

namespace gort::rt {
namespace {

constinit std::atomic<bool> show_all{false};
SourceLines NoLines(const Symbol&) { return {}; }

// An address with everything that is known of it.
struct Place {
  explicit Place(uintptr_t lookup_pc) : pc(lookup_pc) {
    Symbolize(pc, &symbol);
    lines = source_lines_hook(symbol);
    if (symbol.name == nullptr) {
      strcpy(symbol_name, "??");
    } else if (!Demangle(symbol.name, symbol_name, sizeof symbol_name)) {
      strncpy(symbol_name, symbol.name, sizeof symbol_name - 1);
    }
  }

  // The functions at the address, innermost first.
  int functions() const { return lines.n > 0 ? lines.n : 1; }
  const char* NameOf(int i) const {
    return i < lines.n && lines.at[i].function != nullptr ? lines.at[i].function : symbol_name;
  }

  // The name has no scope. With little debug information (-g1) that is so of all functions but those that
  // have a linker's name.
  bool IsBare(int i) const { return i < lines.n && strstr(NameOf(i), "::") == nullptr; }
  // Function i stands in a header of a library: what calls it, or its own code, is there.
  bool InLibrary(int i) const { return i < lines.n && IsLibraryFolder(lines.at[i].dir); }
  bool Spawns(int i) const { return IsSpawner(NameOf(i)) || (IsBare(i) && InLibrary(i)); }

  uintptr_t pc;
  Symbol symbol;
  SourceLines lines;
  char symbol_name[512] = {};
};

bool EndsIn(const char* name, size_t n, const char* suffix) {
  const size_t m = strlen(suffix);
  return n >= m && memcmp(name + n - m, suffix, m) == 0;
}

// How many bytes of a lambda's name are the function around it; 0: the name is no lambda's.
size_t AroundLambda(const char* name) {
  size_t n = strlen(name);
  for (const char* call : {"::operator()", "::_FUN"}) {
    if (!EndsIn(name, n, call)) continue;
    n -= strlen(call);
    if (n == 0) return 0;
    do --n;
    while (n > 0 && name[n] != ':');  // at the second colon
    // gcc's names, and clang's.
    const bool lambda = n > 0 && (strncmp(name + n - 1, "::{lambda#", 10) == 0 ||
                                  strncmp(name + n - 1, "::$_", 4) == 0);
    return lambda ? n - 1 : 0;
  }
  return 0;
}

// The function around a lambda, with the line that the lambda stands in, when that is known.
void PrintName(Printer& p, const Place& place, int i) {
  const char* name = place.NameOf(i);
  const size_t around = AroundLambda(name);
  if (around == 0 || i >= place.lines.n || place.lines.at[i].decl_line == 0) {
    p << name;
    return;
  }
  const char* file = place.lines.at[i].decl_file;
  if (const char* slash = strrchr(file, '/'); slash != nullptr) file = slash + 1;
  p.Str(name, around) << "::{lambda at " << file << ':' << place.lines.at[i].decl_line << '}';
}

// pc: of the frame, not the one that was looked up.
void PrintPlace(Printer& p, const Place& place, int i, uintptr_t pc) {
  p << '\t';
  if (i < place.lines.n && place.lines.at[i].line != 0) {
    const SourceLine& line = place.lines.at[i];
    p << line.dir << (line.dir[0] != '\0' ? "/" : "") << line.file << ':' << line.line;
    // The functions above it have no code of their own.
    if (i == place.lines.n - 1 && place.symbol.start != 0) (p << " +").Hex(pc - place.symbol.start);
  } else if (place.symbol.object[0] == '\0') {
    p.Hex(pc);
  } else {
    (p << place.symbol.object << '+').Hex(place.symbol.offset);
  }
  p << '\n';
}

bool IsHidden(const Place& place, int i) {
  const char* name = place.NameOf(i);
  if (IsPlumbing(name)) return true;
  if (place.symbol.name == nullptr && IsSystemLibrary(place.symbol.object)) return true;
  return place.IsBare(i) && (place.InLibrary(i) || IsRuntime(place.symbol_name));
}

bool IsHidden(const Place& place) {
  for (int i = 0; i < place.functions(); ++i) {
    if (!IsHidden(place, i)) return false;
  }
  return true;
}

// all: functions of the runtime, too.
void PrintFrame(Printer& p, const Frame& frame, bool all) {
  const Place place(frame.lookup_pc());
  all = all || IsHidden(place);
  for (int i = 0; i < place.functions(); ++i) {
    if (!all && IsHidden(place, i)) continue;
    PrintName(p, place, i);
    p << "(...)\n";
    PrintPlace(p, place, i, frame.pc);
  }
}

}  // namespace

constinit Hook<SourceLines(const Symbol&)> source_lines_hook{&NoLines};

void ShowAllFrames() { show_all.store(true, std::memory_order_relaxed); }
bool ShowsAllFrames() { return show_all.load(std::memory_order_relaxed); }

// Called for the first frame of a stack: is it the runtime that has failed?
bool FramePrinter::RuntimeFailed(const Frame& frame) const {
  const Place place(frame.lookup_pc());
  if (strcmp(place.symbol_name, "gort::rt::Throw") == 0) return true;
  return frame.exact && frame.sp != 0 && IsRuntime(place.symbol_name) && IsHidden(place);
}

void FramePrinter::Add(const Frame& frame) {
  if (skip_to_ != 0 && frame.sp <= skip_to_) return;
  skip_to_ = 0;
  if (!added_) all_ = ShowsAllFrames() || RuntimeFailed(frame);
  added_ = true;
  if (!all_ && IsHidden(Place(frame.lookup_pc()))) {
    hidden_ = frame;
    return;
  }
  if (n_ < kInner) {
    PrintFrame(p_, frame, all_);
  } else {
    last_[n_ % kOuter] = frame;
  }
  ++n_;
}

void FramePrinter::Finish() {
  if (n_ == 0 && added_) PrintFrame(p_, hidden_, true);
  if (n_ <= kInner) return;
  int from = kInner;
  if (n_ > kInner + kOuter) {
    from = n_ - kOuter;
    p_ << "...(" << from - kInner << " frames elided)...\n";
  }
  for (int i = from; i < n_; ++i) PrintFrame(p_, last_[i % kOuter], all_);
}

void PrintCreator(Printer& p, uintptr_t pc, uint64_t goid) {
  const Place place(pc);
  int i = 0;
  while (i < place.functions() - 1 && !ShowsAllFrames() && place.Spawns(i)) ++i;
  p << "created by ";
  PrintName(p, place, i);
  p << "()";
  if (goid != 0) p << " in goroutine " << goid;
  p << '\n';
  PrintPlace(p, place, i, pc + 1);
}

}  // namespace gort::rt
