// leak/internal/search.h: which goroutines wait for something that nobody can reach.
// What      a mark, as a collector makes it. A word that holds an address is taken for a pointer to what
//           is there, wherever in a block it points.
//
//             roots       data of the program and its libraries; mappings that nobody here knows; stacks and
//                         registers of threads; goroutines that run, can run, or wait for what comes from
//                         outside (I/O, time)
//             followed    blocks of the heaps, through every word; a goroutine that waits, through its stack
//                         and its G, from when something leads to it
//             to it       an address on its stack (a channel's queue holds those), or the object that it
//                         waits for: a channel, or a lock or the like by its own address
//
//           Who waits in the end with nothing that leads to it waits for ever. What the runtime keeps
//           about a waiter (its G, the table of semaphores) leads nowhere: it wakes nobody.
// Layer     9. Package-internal. World and threads stopped; allocates from a Scratch.
#ifndef GORT_LEAK_INTERNAL_SEARCH_H_
#define GORT_LEAK_INTERNAL_SEARCH_H_

#include <cstddef>
#include <cstdint>

#include "gort/gmp/g.h"
#include "gort/leak/internal/heap.h"
#include "gort/leak/internal/maps.h"
#include "gort/leak/internal/scratch.h"
#include "gort/leak/internal/stop_threads.h"

namespace gort::rt {

enum class SearchEnd : uint8_t { kDone, kNoStop, kChanging, kTooLong, kNoMemory, kNoMaps };

class Search {
 public:
  Search(Scratch* scratch, const Grow<StoppedThread>* threads, uintptr_t key);
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;

  // self: the caller's goroutine, whose frames above `frame` count. whole: the C library's heap is
  // searched as a whole, and gort's if a thread stands in the middle of a change of it; else that is
  // kChanging, and so is one inside the C library's allocator. deadline: Nanotime.
  SearchEnd Run(G* self, uintptr_t frame, bool whole, int64_t deadline);

  struct Waiter {
    G* g;
    uintptr_t lo, hi;  // what is in use of its stack
    bool reached;
  };
  // After kDone: those that are not reached have leaked.
  const Grow<Waiter>& waiters() const { return waiters_; }
  size_t bytes() const { return bytes_; }

 private:
  bool InsideMalloc() const;
  void SortGs(G* self);
  void Exclude();
  void Roots(G* self, uintptr_t frame);
  void RootG(G* gp);
  void RootThread(const StoppedThread& t);
  void WakersOf(const StoppedThread& t);
  void SeeGs(uintptr_t lo, uintptr_t hi);
  void RootMappings();
  void RootPart(const Mapping& m, uintptr_t lo, uintptr_t hi);
  void RootStacks();
  void RootBut(uintptr_t lo, uintptr_t hi);
  uintptr_t FrameOf(const G* gp) const;
  uintptr_t MappingEnd(uintptr_t p) const;

  void Scan(uintptr_t lo, uintptr_t hi, bool of_libc = false);
  void ScanUsed(uintptr_t lo, uintptr_t hi, bool shared, bool of_libc = false);
  void See(uintptr_t word);
  void Follow();
  void Reach(Waiter* w);
  void ReachByObject();
  bool ObjectReached(const Waiter& w);
  bool AddressReached(const Waiter& w, uintptr_t p);
  Waiter* WaiterAt(uintptr_t p);
  Waiter* WaiterOf(uintptr_t g);

  Scratch* const scratch_;
  const Grow<StoppedThread>* const threads_;
  Grow<Mapping> maps_;
  PageState pages_;
  Heap heap_;
  Grow<Waiter> waiters_;  // by the address of the stack
  Grow<G*> others_;       // their stacks are roots
  Grow<G*> free_;         // by address
  Grow<Waiter*> by_g_;    // waiters_ by the address of the G
  Grow<Range> excluded_;  // what is no root, by address
  Grow<Range> stacks_;    // of all Gs, dead ones included, by address
  Grow<Range> to_follow_;
  uintptr_t least_ = 0, most_ = 0;  // no address outside leads anywhere
  uintptr_t stacks_lo_ = 0, stacks_hi_ = 0;
  uintptr_t gs_lo_ = 0, gs_hi_ = 0;  // of the waiters
  int64_t deadline_ = 0;
  bool too_long_ = false;
  size_t bytes_ = 0;
};

}  // namespace gort::rt

#endif  // GORT_LEAK_INTERNAL_SEARCH_H_
