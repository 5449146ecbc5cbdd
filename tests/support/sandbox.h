// tests/support/sandbox.h: forbids this process a system call.
#ifndef GORT_TESTS_SUPPORT_SANDBOX_H_
#define GORT_TESTS_SUPPORT_SANDBOX_H_

namespace gort::testing {

// From here on the call with this number fails with EPERM on every thread of the process, for ever
// (seccomp). False: the system has no such filters, as an emulator.
bool ForbidCall(int number);

}  // namespace gort::testing

#endif  // GORT_TESTS_SUPPORT_SANDBOX_H_
