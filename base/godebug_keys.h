// base/godebug_keys.h: every GODEBUG key, a row each.
// What      the one list of them: struct Godebug, its parser, and the table of keys in README.md
//           (tools/checks/knobs.py) come from here. A key is an integer from 0 to its maximum,
//           and 0 when the environment does not set it; or a text, empty when it is not set.
// Layer     1. A macro only.
#ifndef GORT_BASE_GODEBUG_KEYS_H_
#define GORT_BASE_GODEBUG_KEYS_H_

// X(name, maximum, meaning in plain words, for users)
#define GORT_GODEBUG_KEYS(X)                                                                    \
  X(schedtrace, 1'000'000'000, "prints a line about the scheduler every so many milliseconds")  \
  X(scheddetail, 1, "with `schedtrace`: lines for each P, M and G as well")                     \
  X(inittrace, 1, "prints every step of start-up with its duration")                            \
  X(asyncpreemptoff, 1, "no pre-emption by signals: a loop without calls keeps its processor")  \
  X(preemptrate, 1'000'000, "for tests: pre-empts so many times a second; 0: every 10 ms")      \
  X(preemptsignal, 64, "the number of the signal that pre-empts; 0: SIGURG")                    \
  X(scavtrace, 1, "prints a line whenever memory has gone back to the operating system")        \
  X(schedseed, INT64_MAX, "takes the scheduler's choices from this seed; 0: from random bytes") \
  X(stackguard, 2, "stack guards: 0 the best there is, 1 pages by mprotect, 2 canaries")        \
  X(tracebackancestors, 100, "tracebacks show the stacks of so many generations of creators")   \
  X(memprofilerate, INT64_MAX, "samples the heap: one allocation for every so many bytes")      \
  X(leakcheck, 1'000'000'000,                                                                   \
    "searches every so many milliseconds for goroutines that wait for ever, and prints them")

// X(name, meaning): keys whose value is a text, which ends at the next comma.
#define GORT_GODEBUG_TEXT_KEYS(X)                                                          \
  X(trace, "records what the scheduler does into this file, for Perfetto (trace/trace.h)") \
  X(cpuprofile, "records who uses the CPU into this file, for pprof (profile/profile.h)")

#endif  // GORT_BASE_GODEBUG_KEYS_H_
