"""The programs that are compared: building them, running one workload of one of them, reading what it prints."""

import collections
import glob
import os
import shutil
import statistics
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

# `startup` prints nothing: the process is timed from outside, so many times in a round.
STARTUP_RUNS = 50

# The same figure by another name, (name, unit) each.
ALIASES = {
    ("total", "ms"): ("total_ms", "ms"),
    ("rss_per_task", "B"): ("rss_per_goroutine", "bytes"),
    ("create", "ms"): ("create_ms", "ms"),
    ("release", "ms"): ("release_ms", "ms"),
    ("wall_beyond_1000", "ms"): ("overshoot_ms", "ms"),
    ("cpu", "ms"): ("cpu_ms", "ms"),
}

# A name, which its lines begin with, and the programs that have its workloads between them.
Peer = collections.namedtuple("Peer", "name binaries")


class Failed(Exception):
    """A program did not do what it was asked; the text says what."""


def cpus():
    """How many CPUs this process may use."""
    return len(os.sched_getaffinity(0))


def build_gort(target):
    """Path of a program of gort's, //PACKAGE:NAME, built for speed."""
    flags = ["--config=opt"]
    subprocess.run(["bazel", "build", *flags, target], cwd=ROOT, check=True)
    output = subprocess.run(["bazel", "info", *flags, "bazel-bin"], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    package, _, name = target[2:].partition(":")
    return os.path.join(output.stdout.decode().strip(), package, name)


def go_compiler():
    """Path of a Go compiler; None: there is none."""
    newest = sorted(glob.glob("/usr/lib/go-*/bin/go"), key=lambda path: [int(n) for n in path.split("/")[3][3:].split(".") if n.isdigit()])
    return os.environ.get("GO") or shutil.which("go") or (newest[-1] if newest else None)


def build_go(sources, binary):
    """Builds the Go program of a folder; returns binary."""
    go = go_compiler()
    if go is None:
        raise Failed("no Go compiler; apt-get install golang-go, or set $GO")
    environment = dict(os.environ, GO111MODULE="on", GOPROXY="off", GOFLAGS="-mod=mod", CGO_ENABLED="0")
    subprocess.run([go, "build", "-o", binary, "."], cwd=sources, env=environment, check=True)
    return binary


def peers(gort, named):
    """The Peers of NAME=BINARY arguments, gort's first. A name may come several times."""
    binaries = {"gort": [os.path.abspath(gort)]}
    for text in named:
        name, equals, binary = text.partition("=")
        if not equals or not name or name == "gort" or not os.access(binary, os.X_OK):
            raise Failed("not NAME=BINARY: %s" % text)
        binaries.setdefault(name, []).append(os.path.abspath(binary))
    return [Peer(*item) for item in binaries.items()]


def parse(text, name, workload):
    """{(figure, unit): value} of the lines "NAME WORKLOAD procs=N FIGURE VALUE UNIT"; raises Failed at any other."""
    figures = {}
    for line in text.splitlines():
        words = line.split()
        try:
            if words[:2] != [name, workload] or not words[2].startswith("procs=") or len(words) != 6:
                raise ValueError
            figure = (words[3], words[5])
            figures[ALIASES.get(figure, figure)] = float(words[4])
        except (ValueError, IndexError):
            raise Failed("%s: unexpected line: %s" % (workload, line)) from None
    return figures


def call(command, timeout):
    """Runs a command to its end. Status 2 is that of wrong use: it lacks the workload."""
    try:
        done = subprocess.run(command, timeout=timeout, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except subprocess.TimeoutExpired:
        raise Failed("%s: no end after %d s" % (" ".join(command), timeout)) from None
    if done.returncode not in (0, 2):
        report = done.stderr.decode(errors="replace").strip().splitlines()[:1]
        raise Failed("%s: status %d: %s" % (" ".join(command), done.returncode, "".join(report)))
    return done


def startup(binary, timeout):
    """The median time of a whole process that does nothing; {}: it says something, and so does something else."""
    done = call([binary, "startup"], timeout)
    if done.returncode != 0 or done.stdout or done.stderr:
        return {}
    times = []
    for _ in range(STARTUP_RUNS):
        start = time.perf_counter()
        subprocess.run([binary, "startup"], check=True)
        times.append((time.perf_counter() - start) * 1e3)
    return {("wall_ms", "ms"): statistics.median(times)}


def size(workload, n):
    """-n for that workload. A tree of ten children each has a power of ten of leaves: with another number of them some programs never end."""
    return 10 ** (len(str(n)) - 1) if workload == "skynet" and n else n


def run(peer, workload, procs, n, timeout):
    """{(figure, unit): value} of one run by the first of its programs that has the workload; {}: none has. n 0: the program's default."""
    n = size(workload, n)
    for binary in peer.binaries:
        if workload == "startup":
            figures = startup(binary, timeout)
        else:
            command = [binary, workload, "-procs", str(procs)] + (["-n", str(n)] if n else [])
            figures = parse(call(command, timeout).stdout.decode(errors="replace"), peer.name, workload)
        if figures:
            return figures
    return {}
