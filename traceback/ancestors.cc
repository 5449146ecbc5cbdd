#include "gort/traceback/ancestors.h"

#include <cstring>
#include <new>

#include "gort/base/attributes.h"
#include "gort/traceback/frame_printer.h"
#include "gort/traceback/unwind.h"

namespace gort::rt {
namespace {

constexpr int kFrames = 50;  // of one generation, innermost first. Go: tracebackInnerFrames

struct Ancestor {
  uint64_t goid = 0;
  uintptr_t gopc = 0;  // where that goroutine was created in turn; 0: unknown
  int n_frames = 0;
  bool more_frames = false;
  Frame frames[kFrames];
};

}  // namespace

// The creator first.
struct alignas(Ancestor) Ancestors {
  int n = 0;
  Ancestor* at() { return reinterpret_cast<Ancestor*>(this + 1); }
};
static_assert(sizeof(Ancestors) % alignof(Ancestor) == 0);

namespace {

struct Collector {
  Ancestor* out;
  uintptr_t gopc;
  bool seen;  // the frame that gopc returns to
};

bool Collect(const Frame& frame, void* arg) {
  auto* c = static_cast<Collector*>(arg);
  c->seen = c->seen || frame.pc == c->gopc;
  if (!c->seen) return true;  // our own
  c->out->more_frames = c->out->n_frames == kFrames;
  if (c->out->more_frames) return false;
  c->out->frames[c->out->n_frames++] = frame;
  return true;
}

}  // namespace

GORT_NOINLINE Ancestors* SaveAncestors(const G* creator, uintptr_t gopc, int max) {
  if (creator == nullptr || creator->goid == 0) return nullptr;
  Ancestors* older = creator->ancestors;
  int n = older != nullptr ? older->n + 1 : 1;
  if (n > max) n = max;
  size_t bytes = sizeof(Ancestors) + static_cast<size_t>(n) * sizeof(Ancestor);
  void* room = ::operator new(bytes, std::nothrow);
  if (room == nullptr) return nullptr;
  Ancestors* result = new (room) Ancestors{n};
  Ancestor* first = new (result->at()) Ancestor;
  first->goid = creator->goid;
  first->gopc = creator->gopc;
  Collector collector{first, gopc, false};
  UnwindCurrent(0, &Collect, &collector);
  for (int i = 1; i < n; ++i) new (result->at() + i) Ancestor(older->at()[i - 1]);
  return result;
}

void FreeAncestors(Ancestors* ancestors) { ::operator delete(ancestors); }

void PrintAncestors(Printer& p, const G* gp) {
  if (gp->ancestors == nullptr) return;
  for (int i = 0; i < gp->ancestors->n; ++i) {
    const Ancestor& ancestor = gp->ancestors->at()[i];
    p << "[originating from goroutine " << ancestor.goid << "]:\n";
    FramePrinter frames(p);
    for (int k = 0; k < ancestor.n_frames; ++k) frames.Add(ancestor.frames[k]);
    frames.Finish();
    if (ancestor.more_frames) p << "...additional frames elided...\n";
    // In which goroutine that was, the next generation says.
    if (ancestor.goid > 1 && ancestor.gopc != 0) PrintCreator(p, ancestor.gopc - 1, 0);
  }
}

}  // namespace gort::rt
