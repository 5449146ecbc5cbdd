#!/usr/bin/env python3
"""Runs each row of tests/anycode's programs at several GOMAXPROCS, at rest and interrupted all the time.

    matrix.py PROGRAM... [--procs=1,2,8] [--seconds=0.1] [--workers=100] [--rows=NAME,...] [--not-yet]
    matrix.py PROGRAM... --compare [--seconds=1] [--rounds=3]
    matrix.py PROGRAM... --late [--seconds=1] [--workers=1]

A row fails when a result is wrong, when its process dies, and when it takes longer than --patience: then it hangs, and its goroutines are
printed. --compare prints operations per second on goroutines at GOMAXPROCS=1 beside those of the same row on threads on one CPU: of a process that has
all CPUs, where goroutines that come back from the kernel without a P run beside the one that has it, and of a process on one CPU. --late
prints how late a ticker is beside each row at GOMAXPROCS=1, and how long GOMAXPROCS(n) and a report of all stacks take.
"""

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import time

from tests.support.program import UNDER, has_tsan

SLICES = ("", "preemptrate=2000")

# Rows that do not pass yet, and why.
NOT_YET = {}

# Under an emulator, which is another CPU's: where it has neither membarrier(2) nor /proc's word on threads, those asleep get signals, and on arm64 a call of the C
# library's that a signal meets ends with EINTR, or with part of its bytes moved (preempt/README.md).
NOT_EMULATED_FAMILIES = {"timed", "fed", "whole"}

# Under ThreadSanitizer nothing interrupts a goroutine: one that blocks or spins keeps its P.
NOT_UNDER_TSAN_FAMILIES = {"waiting", "threads", "yielding", "timed", "fed", "tbb"}
_UNSEEN = "ThreadSanitizer does not see how the library synchronises"
NOT_UNDER_TSAN = {
    "timed_mutex": _UNSEEN,  # pthread_mutex_clocklock
    "recursive_timed_mutex": _UNSEEN,
    "shared_timed_mutex": _UNSEEN,
    "omp_nest_lock": _UNSEEN,  # libgomp is not instrumented
    "atomic_shared_ptr": _UNSEEN,  # libstdc++ 12 locks it by a bit of a pointer
    "regex": "libstdc++'s std::ctype fills a table of single bytes that all threads would fill alike",
}

# What goroutines must reach of the threads' operations per second.
ENOUGH = 0.8
ENOUGH_OF = {"condition_variable": 0.5, "condition_variable_any": 0.5, "condition_variable_recursive": 0.5, "timed_mutex": 0.5,
             "recursive_timed_mutex": 0.5, "yield_lock": 0.5, "ticket_lock": 0.5, "yield_pingpong": 0.5,
             "tbb_spin_mutex": 0.5, "tbb_queuing_mutex": 0.5, "tbb_spin_rw_mutex": 0.5, "tbb_bounded_queue": 0.5, "tbb_hash_map": 0.5,
             "cnd": 0.5, "latch": 0.5, "absl_cond_var": 0.5, "absl_await": 0.5, "absl_notification": 0.5, "glib_cond": 0.5,
             "glib_async_queue": 0.5}
# An operation makes something for each thread, once: goroutines have few threads, and so little to do.
NOT_COMPARED = {"slow_constructor"}


class Hung(Exception):
    """A row that did not end; what it printed."""


def rows(program):
    """(family, row) for each row of the program."""
    output = subprocess.run(UNDER + [program, "--list"], check=True, stdout=subprocess.PIPE).stdout.decode()
    return [tuple(line.split()) for line in output.splitlines()]


def on_one_cpu():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def run(program, row, flags, environment, patience, prepare=None):
    """(status, output) of one run."""
    command = UNDER + [program, "--row=" + row] + flags
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ, **environment),
                          preexec_fn=prepare) as process:
        try:
            output, _ = process.communicate(timeout=patience)
            return process.returncode, output.decode(errors="replace")
        except subprocess.TimeoutExpired:
            # The runtime's report of all goroutines, if it still can.
            process.send_signal(signal.SIGQUIT)
            try:
                output, _ = process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                output, _ = process.communicate()
            raise Hung(output.decode(errors="replace")) from None


def rate(output):
    """Operations per second, of what a run printed."""
    return float(re.search(r"rate=([\d.]+)", output).group(1))


def shortened(text, lines=60):
    kept = text.splitlines()
    return "\n".join(kept if len(kept) <= lines else kept[:lines] + ["... %d lines more" % (len(kept) - lines)])


def left_out(family, row, tsan, options):
    """Why a row is not run; None if it is."""
    if row in NOT_YET and not options.not_yet:
        return NOT_YET[row]
    if UNDER and family in NOT_EMULATED_FAMILIES:
        return "under an emulator a signal may end it"
    if tsan and family in NOT_UNDER_TSAN_FAMILIES:
        return "under ThreadSanitizer nothing takes the P from one that waits"
    return NOT_UNDER_TSAN.get(row) if tsan else None


def chosen(program, options):
    wanted = options.rows.split(",") if options.rows else None
    return [(family, row) for family, row in rows(program) if wanted is None or row in wanted or family in wanted]


def check_row(program, row, procs, godebug, options):
    """Runs it once; what is wrong, or None."""
    flags = ["--seconds=%g" % options.seconds, "--workers=%d" % options.workers]
    environment = {"GOMAXPROCS": str(procs), "GODEBUG": godebug}
    where = "%s GOMAXPROCS=%d GODEBUG=%s" % (row, procs, godebug)
    start = time.monotonic()
    try:
        status, output = run(program, row, flags, environment, options.patience)
    except Hung as hung:
        print("HUNG   %s: no end within %g s\n%s" % (where, options.patience, shortened(str(hung))), flush=True)
        return where + ": hung"
    taken = time.monotonic() - start
    if status != 0:
        print("FAILED %s: status %d\n%s" % (where, status, shortened(output)), flush=True)
        return "%s: status %d" % (where, status)
    print("ok     %s: %.0f/s in %.2f s" % (where, rate(output), taken), flush=True)
    return None


def check(options):
    wrong = []
    for program in options.programs:
        tsan = has_tsan(program)
        for family, row in chosen(program, options):
            why = left_out(family, row, tsan, options)
            if why:
                print("left out: %s: %s" % (row, why))
                continue
            for procs in options.procs.split(","):
                for godebug in SLICES:
                    wrong.append(check_row(program, row, int(procs), godebug, options))
    ran, wrong = len(wrong), [w for w in wrong if w]
    print("%d runs, %d wrong" % (ran, len(wrong)), *wrong, sep="\n")
    return 1 if wrong or ran == 0 else 0


def measured(program, row, flags, environment, options, prepare=None):
    """Operations per second, as text if there are none."""
    try:
        status, output = run(program, row, flags + ["--seconds=%g" % options.seconds, "--workers=%d" % options.workers], environment,
                             options.patience, prepare)
    except Hung:
        return "hung"
    return rate(output) if status == 0 else "wrong"


def median(values):
    numbers = [v for v in values if not isinstance(v, str)]
    return statistics.median(numbers) if len(numbers) == len(values) else next(v for v in values if isinstance(v, str))


def compare(options):
    print("%-30s %14s %14s %7s %15s" % ("row", "goroutines/s", "threads/s", "ratio", "ratio, one CPU"))
    for program in options.programs:
        for _, row in chosen(program, options):
            if row in NOT_COMPARED:
                continue
            goroutines, on_one, threads = [], [], []
            one_p = {"GOMAXPROCS": "1", "GODEBUG": ""}
            for _ in range(options.rounds):
                goroutines.append(measured(program, row, [], one_p, options))
                on_one.append(measured(program, row, [], one_p, options, on_one_cpu))
                threads.append(measured(program, row, ["--on=threads", "--pin"], {}, options))
                if "hung" in goroutines:
                    break
            print(comparison(row, median(goroutines), median(on_one), median(threads)), flush=True)
    return 0


def comparison(row, goroutines, on_one, threads):
    """One line of the table."""
    columns = tuple(v if isinstance(v, str) else "%.0f" % v for v in (goroutines, threads))
    ratios = ["%.3f%s" % (v / threads, "" if v / threads >= ENOUGH_OF.get(row, ENOUGH) else " !") if not isinstance(v, str)
              and not isinstance(threads, str) else "%s !" % v for v in (goroutines, on_one)]
    return "%-30s %14s %14s %7s %15s" % (row, *columns, *ratios)


# What is late beside each row, and how late it may be, in microseconds: 99 of 100, and the worst.
BESIDE = {"ticker": (12000, 25000), "procs": (25000, 25000), "profile": (25000, 25000)}


def lateness(program, row, what, options):
    """One cell of the table of --late."""
    flags = ["--seconds=%g" % options.seconds, "--workers=%d" % options.workers, "--beside=" + what]
    try:
        status, output = run(program, row, flags, {"GOMAXPROCS": "1", "GODEBUG": ""}, options.patience)
    except Hung:
        return "hung !"
    found = re.search(r"p50_us=(\d+) p99_us=(\d+) max_us=(\d+)", output)
    if status != 0 or not found:
        return "wrong !"
    p50, p99, worst = (int(n) for n in found.groups())
    mark = " !" if p99 > BESIDE[what][0] or worst > BESIDE[what][1] else ""
    return "%.1f %.1f %.1f%s" % (p50 / 1e3, p99 / 1e3, worst / 1e3, mark)


def late(options):
    form = "%-30s" + " %24s" * len(BESIDE)
    print("Milliseconds: median, 99 of 100, worst; ! for what is too late.")
    print(form % ("row", *BESIDE))
    for program in options.programs:
        for _, row in chosen(program, options):
            print(form % (row, *(lateness(program, row, what, options) for what in BESIDE)), flush=True)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="+")
    parser.add_argument("--procs", default="1,2,8", help="GOMAXPROCS, one after the other (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=0.1, help="for each run (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=100, help="goroutines in a row (default: %(default)s)")
    parser.add_argument("--rows", default="", help="names of rows or families (default: all)")
    parser.add_argument("--patience", type=float, default=120 if UNDER else 60,
                        help="seconds after which a row hangs (default: %(default)s)")
    parser.add_argument("--not-yet", action="store_true", help="with the rows that do not pass yet")
    parser.add_argument("--compare", action="store_true", help="with threads, instead")
    parser.add_argument("--late", action="store_true", help="how late others are, instead")
    parser.add_argument("--rounds", type=int, default=3, help="of --compare (default: %(default)s)")
    options = parser.parse_args()
    sys.exit(compare(options) if options.compare else late(options) if options.late else check(options))


if __name__ == "__main__":
    main()
