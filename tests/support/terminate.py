"""Ending a server by SIGTERM, for the tests here."""

import ctypes
import os
import signal


def has_tsan(program):
    with open(program, "rb") as f:
        return b"__tsan_init" in f.read()


def terminate(process, program):
    """Sends SIGTERM to a running program.

    ThreadSanitizer keeps a signal back until its thread enters a call that it knows, and one that sleeps in the scheduler never
    does. There every thread gets one: the one in the poller takes it at once.
    """
    if not has_tsan(program):
        process.send_signal(signal.SIGTERM)
        return
    tgkill = 234  # on x86-64, where alone the sanitizer runs
    for tid in os.listdir("/proc/%d/task" % process.pid):
        ctypes.CDLL(None).syscall(tgkill, process.pid, int(tid), signal.SIGTERM)
