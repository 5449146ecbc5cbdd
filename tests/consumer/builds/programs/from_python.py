"""from_python.py LIBRARY...: loads libraries with a gort inside each, and calls them again and again, from two threads of Python's at once."""

import ctypes
import subprocess
import sys
import threading

libraries = [ctypes.CDLL(path) for path in sys.argv[1:]]
wrong = []


def expect(got, want, what):
    if got != want:
        wrong.append("%s: %r, should be %r" % (what, got, want))


def calls(first):
    for i in range(20):
        for library in libraries:
            expect(library.count_to(first + i), first + i, "count_to")
    for library in libraries:
        expect(library.catch_exceptions(), 2, "catch_exceptions")
        # From a goroutine of one into the other, for which this is a thread like any other.
        for other in libraries:
            if other is not library:
                expect(library.call_on_goroutine(other.count_to, 5), 5, "call_on_goroutine")


threads = [threading.Thread(target=calls, args=(100 * (i + 1),)) for i in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for library in libraries:
    expect(library.interrupt_loop(), 1, "interrupt_loop")
# The process is still one that can start others.
expect(subprocess.run(["true"], check=False).returncode, 0, "true")
calls(7)
print("\n".join(wrong) or "python: ok")
sys.exit(1 if wrong else 0)
