#include "gort/local/internal/local_values.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "absl/base/thread_annotations.h"
#include "gort/base/attributes.h"
#include "gort/base/throw.h"
#include "gort/gmp/g.h"
#include "gort/gmp/getg.h"
#include "gort/lock/mutex.h"
#include "gort/malloc/internal/persistentalloc.h"
#include "gort/proc/proc.h"

namespace gort::rt {

// Where one Local at a time has its values. Never freed.
struct LocalPlace {
  uint32_t index;       // const
  uint64_t generation;  // guarded by the lock of the places
  LocalPlace* next;     // likewise; while it is free
};

namespace {

// ---- keys ----

constexpr int kIndexBits = 24;
constexpr uint64_t kIndexMask = (uint64_t{1} << kIndexBits) - 1;

struct Places {
  Mutex mu;  // not ranked: taken with no other lock held
  LocalPlace* free ABSL_GUARDED_BY(mu) = nullptr;
  uint32_t made ABSL_GUARDED_BY(mu) = 0;
};
constinit Places places;

LocalPlace* TakePlace() ABSL_EXCLUSIVE_LOCKS_REQUIRED(places.mu) {
  if (LocalPlace* p = places.free; p != nullptr) {
    places.free = p->next;
    return p;
  }
  if (places.made == kIndexMask) Fatal("too many objects of gort::Local");
  void* room = PersistentAlloc(sizeof(LocalPlace), alignof(LocalPlace));
  return ::new (room) LocalPlace{places.made++, 0, nullptr};
}

bool SamePlace(uint64_t a, uint64_t b) { return ((a ^ b) & kIndexMask) == 0; }

// ---- tables ----

struct Entry {
  uint64_t key;       // 0: free
  LocalValue* value;  // null: free
};

// What a goroutine has. `entries` has mask + 1 of them: a power of two.
struct Table : Locals {
  uint64_t mask;
  LocalValue* newest;
  Entry entries[];
};

constexpr size_t kFirstSize = 4;

Table* TableOf(const G* gp) { return static_cast<Table*>(gp->locals); }

Entry* At(Table* t, uint64_t key) { return &t->entries[key & t->mask]; }

void EndTable(G* gp);

Table* NewTable(size_t n, LocalValue* newest) {
  auto* t = static_cast<Table*>(::operator new(sizeof(Table) + n * sizeof(Entry)));
  t->end = &EndTable;
  t->mask = n - 1;
  t->newest = newest;
  for (size_t i = 0; i < n; ++i) t->entries[i] = Entry{0, nullptr};
  return t;
}

// Twice the room. Keys that did not meet do not meet there either.
void Grow(G* gp) {
  Table* old = TableOf(gp);
  Table* t = NewTable(2 * (old->mask + 1), old->newest);
  for (size_t i = 0; i <= old->mask; ++i) {
    const Entry& e = old->entries[i];
    if (e.value != nullptr) *At(t, e.key) = e;
  }
  gp->locals = t;
  ::operator delete(old);
}

bool Dying(const LocalValue* v) { return v->newer == v; }

void Unlink(Table* t, LocalValue* v) {
  (v->newer != nullptr ? v->newer->older : t->newest) = v->older;
  if (v->older != nullptr) v->older->newer = v->newer;
}

// Destroys a value of gp, the current G. Its destructor finds it, and may replace gp's table.
void Destroy(G* gp, LocalValue* v) {
  Unlink(TableOf(gp), v);
  v->newer = v;
  const uint64_t key = v->key;
  v->destroy(v);
  Entry* e = At(TableOf(gp), key);
  if (e->value == v) *e = Entry{0, nullptr};
}

void EndTable(G* gp) {
  while (LocalValue* v = TableOf(gp)->newest) Destroy(gp, v);
  ::operator delete(TableOf(gp));
  gp->locals = nullptr;
}

// The entry for a key: a free one, or that of its value. What a Local that had the place before has
// left there is destroyed.
Entry* EntryFor(G* gp, uint64_t key) {
  while (true) {
    Entry* e = At(TableOf(gp), key);
    if (e->value == nullptr || e->key == key) return e;
    if (!SamePlace(e->key, key)) {
      Grow(gp);
    } else if (Dying(e->value)) {
      return e;
    } else {
      Destroy(gp, e->value);
    }
  }
}

// Ends the values of the calling thread, which is foreign, with its thread_local objects; those of the
// main thread when the process exits. Values that are made after that go when proc lets the thread go.
struct AtThreadEnd {
  ~AtThreadEnd() {
    G* gp = Getg();
    if (gp != nullptr && gp->foreign) EndLocals(gp);
  }
};

GORT_NOINLINE void EndWithThread() { static thread_local AtThreadEnd at_end; }

}  // namespace

void LocalKey::Assign() {
  LockGuard l(&places.mu);
  if (get() != 0) return;
  place_ = TakePlace();
  key_.store(++place_->generation << kIndexBits | place_->index, std::memory_order_relaxed);
}

void LocalKey::Drop() const {
  LocalValue* v = FindLocal(*this);
  if (v != nullptr && !Dying(v)) Destroy(Getg(), v);
}

void LocalKey::Retire() {
  if (get() == 0) return;
  Drop();
  LockGuard l(&places.mu);
  place_->next = places.free;
  places.free = place_;
}

LocalValue* FindLocal(const LocalKey& key) {
  const G* gp = Getg();
  if (GORT_UNLIKELY(gp == nullptr)) return nullptr;
  Table* t = TableOf(gp);
  if (GORT_UNLIKELY(t == nullptr)) return nullptr;
  const uint64_t k = key.get();
  const Entry* e = At(t, k);
  return GORT_LIKELY(e->key == k) ? e->value : nullptr;
}

void PrepareLocal(LocalKey* key) {
  CurrentG();
  if (key->get() == 0) key->Assign();
}

LocalValue* AddLocal(const LocalKey& key, std::unique_ptr<LocalValue, DropLocalValue> v) {
  if (LocalValue* there = FindLocal(key)) return there;
  G* gp = CurrentG();
  if (gp->foreign) EndWithThread();
  if (gp->locals == nullptr) gp->locals = NewTable(kFirstSize, nullptr);
  gp->rare = true;
  Entry* e = EntryFor(gp, key.get());
  if (e->value != nullptr && !Dying(e->value)) return e->value;  // a destructor has made it
  Table* t = TableOf(gp);
  v->key = key.get();
  v->older = t->newest;
  if (v->older != nullptr) v->older->newer = v.get();
  *e = Entry{key.get(), v.get()};
  t->newest = v.get();
  return v.release();
}

}  // namespace gort::rt
