// Who allocates, and what there is of it.
#include <cmath>
#include <cstddef>
#include <new>

#include "absl/base/thread_annotations.h"
#include "gort/gmp/getg.h"
#include "gort/lock/mutex.h"
#include "gort/malloc/internal/sample.h"
#include "gort/platforms/clock.h"
#include "gort/platforms/mem.h"
#include "gort/profile/internal/encode.h"
#include "gort/profile/internal/stack_table.h"
#include "gort/profile/internal/stacks.h"
#include "gort/traceback/unwind.h"

namespace gort::rt {
namespace {

enum Sum { kAllocObjects, kAllocBytes, kUsedObjects, kUsedBytes };

// What a sampled object has been counted as.
struct Note {
  StackSums* sums;
  double objects;
  double bytes;
  Note* next;  // while it is free
};

constinit StackTable table;
constinit Note* free_notes ABSL_GUARDED_BY(heap_sample_lock) = nullptr;

// Null: no memory.
Note* NewNote() ABSL_EXCLUSIVE_LOCKS_REQUIRED(heap_sample_lock) {
  if (free_notes == nullptr) {
    constexpr size_t kBytes = 64 << 10;
    char* room = static_cast<char*>(MemMap(kBytes, PageSize()));
    for (size_t at = 0; room != nullptr && at + sizeof(Note) <= kBytes; at += sizeof(Note)) {
      free_notes = new (room + at) Note{nullptr, 0, 0, free_notes};
    }
  }
  Note* note = free_notes;
  if (note != nullptr) free_notes = note->next;
  return note;
}

// How many objects of this size a sampled one stands for: itself and those that were not sampled.
// Go: scaleHeapSample
double Weight(size_t bytes, int64_t rate) {
  if (rate <= 1) return 1;
  return 1 / -std::expm1(-static_cast<double>(bytes) / static_cast<double>(rate));
}

void* OnAlloc(size_t bytes, int64_t rate) {
  uintptr_t pcs[kMaxStack];
  const int n = Callers(1, pcs, kMaxStack);
  const G* gp = Getg();
  LabelSet* labels = gp != nullptr ? gp->labels.load(std::memory_order_relaxed) : nullptr;
  const double weight = Weight(bytes, rate);
  LockGuard l(&heap_sample_lock);
  StackSums* sums = table.Find(pcs, n, labels);
  Note* note = sums != nullptr ? NewNote() : nullptr;
  if (note == nullptr) return nullptr;
  *note = Note{sums, weight, weight * static_cast<double>(bytes), nullptr};
  sums->Add(kAllocObjects, note->objects);
  sums->Add(kAllocBytes, note->bytes);
  sums->Add(kUsedObjects, note->objects);
  sums->Add(kUsedBytes, note->bytes);
  return note;
}

void OnFree(void* p) {
  Note* note = static_cast<Note*>(p);
  LockGuard l(&heap_sample_lock);
  note->sums->Add(kUsedObjects, -note->objects);
  note->sums->Add(kUsedBytes, -note->bytes);
  note->next = free_notes;
  free_notes = note;
}

}  // namespace

std::string HeapProfile() {
  ProfileForm form{{{"alloc_objects", "count"},
                    {"alloc_space", "bytes"},
                    {"inuse_objects", "count"},
                    {"inuse_space", "bytes"}},
                   {"space", "bytes"}};
  form.period = heap_sample_rate.load(std::memory_order_relaxed);
  form.begin_ns = Walltime();
  form.only_callers = true;
  return EncodeProfile(table, form);
}

int64_t HeapRate(int64_t bytes) {
  uintptr_t pcs[4];
  Callers(0, pcs, 4);  // what the unwinder does once only, it does now
  heap_alloc_hook.Set(&OnAlloc);
  heap_free_hook.Set(&OnFree);
  return heap_sample_rate.exchange(bytes > 0 ? bytes : 0, std::memory_order_relaxed);
}

}  // namespace gort::rt
