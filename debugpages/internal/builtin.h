// debugpages/internal/builtin.h: the pages that every DebugPages begins with.
// Layer     14.
#ifndef GORT_DEBUGPAGES_INTERNAL_BUILTIN_H_
#define GORT_DEBUGPAGES_INTERNAL_BUILTIN_H_

#include <vector>

#include "gort/debugpages/debug_pages.h"

namespace gort::debugpages {

std::vector<Page> BuiltinPages();

}  // namespace gort::debugpages

#endif  // GORT_DEBUGPAGES_INTERNAL_BUILTIN_H_
