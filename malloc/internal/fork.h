// malloc/internal/fork.h: fork(2) in a program whose other threads allocate.
// What      the handlers for pthread_atfork: all of malloc's locks are held over the fork, so that
//           the child finds every structure whole. What other threads had in their caches is lost
//           to it.
// Layer     4. //malloc:override registers them; a program that uses //malloc alone and allocates
//           in a forked child of several threads may do so itself.
#ifndef GORT_MALLOC_INTERNAL_FORK_H_
#define GORT_MALLOC_INTERNAL_FORK_H_

namespace gort::rt {

void MallocForkPrepare();  // takes the locks, outermost first
void MallocForkDone();     // in parent and child: releases them

}  // namespace gort::rt

#endif  // GORT_MALLOC_INTERNAL_FORK_H_
