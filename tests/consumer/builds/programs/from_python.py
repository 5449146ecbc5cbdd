"""from_python.py LIBRARY: loads a library with gort inside, and calls it again and again, from two threads of Python's at once."""

import ctypes
import subprocess
import sys
import threading

library = ctypes.CDLL(sys.argv[1])
wrong = []


def expect(got, want, what):
    if got != want:
        wrong.append("%s: %r, should be %r" % (what, got, want))


def calls(first):
    for i in range(20):
        expect(library.count_to(first + i), first + i, "count_to")
    expect(library.catch_exceptions(), 2, "catch_exceptions")


threads = [threading.Thread(target=calls, args=(100 * (i + 1),)) for i in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
expect(library.interrupt_loop(), 1, "interrupt_loop")
# The process is still one that can start others.
expect(subprocess.run(["true"], check=False).returncode, 0, "true")
calls(7)
print("\n".join(wrong) or "python: ok")
sys.exit(1 if wrong else 0)
