#include "gort/gmp/profile_hook.h"

namespace gort::rt {

constinit Hook<void(WaitReason, int64_t)> block_hook{[](WaitReason, int64_t) {}};
constinit Hook<void(int64_t)> contention_hook{[](int64_t) {}};

}  // namespace gort::rt
