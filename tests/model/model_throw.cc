// Takes the place of base/throw.cc in binaries that model-check product code: a broken invariant is
// a failed execution, not the end of the process.
#include "gort/base/throw.h"
#include "gort/tests/model/model.h"

namespace gort::rt {

void Throw(const char* text) { model::Fail(text); }

}  // namespace gort::rt
