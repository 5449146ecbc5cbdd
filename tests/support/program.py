"""How a test in Python runs a program of ours, and ends it."""

import ctypes
import os
import signal

# The words to put before the program: an emulator's, or none.
UNDER = os.environ.get("GORT_RUN_UNDER", "").split()


def _has(program, *words):
    """Whether one of the words, bytes, stands in the file."""
    with open(program, "rb") as f:
        text = f.read()
    return any(word in text for word in words)


def has_tsan(program):
    """Whether the program was built with ThreadSanitizer."""
    return _has(program, b"__tsan_init")


def has_sanitizer(program):
    """Whether the program was built with AddressSanitizer or ThreadSanitizer."""
    return _has(program, b"__tsan_init", b"__asan_init")


def terminate(process, program):
    """Sends SIGTERM to a running program.

    ThreadSanitizer keeps a signal back until its thread enters a call that it knows, and a thread that sleeps in the scheduler
    enters none. So each thread gets the signal there; the thread in the poller takes it at once.
    """
    if not has_tsan(program):
        process.send_signal(signal.SIGTERM)
        return
    tgkill = 234  # on x86-64, the only CPU on which we use the sanitizer
    for tid in os.listdir("/proc/%d/task" % process.pid):
        ctypes.CDLL(None).syscall(tgkill, process.pid, int(tid), signal.SIGTERM)


def status_of(process, program, timeout):
    """The status of a program that `terminate` ends.

    Of the signals that a program of ThreadSanitizer's gets, some come when it has ended its wait for them: that end counts as 0.
    """
    status = process.wait(timeout)
    return 0 if status == -signal.SIGTERM and has_tsan(program) else status
