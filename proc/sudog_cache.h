// proc/sudog_cache.h: the part of the sudog cache that ProcResize needs; the rest is in proc.h.
// Layer     6.
#ifndef GORT_PROC_SUDOG_CACHE_H_
#define GORT_PROC_SUDOG_CACHE_H_

#include "gort/gmp/p.h"

namespace gort::rt {

// Moves all of a P's sudogs to the central list. World stopped, or pp is the caller's.
void SudogPurge(P* pp);

}  // namespace gort::rt

#endif  // GORT_PROC_SUDOG_CACHE_H_
