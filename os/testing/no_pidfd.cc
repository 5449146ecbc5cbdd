// Takes pidfds away from the test that this is linked into, and so from its children. Under an
// emulator, which has no such filters, the test is the same as command_test.
#include <sys/syscall.h>

#include "gort/tests/support/sandbox.h"

namespace {

const bool forbidden = gort::testing::ForbidCall(SYS_pidfd_open);

}  // namespace
