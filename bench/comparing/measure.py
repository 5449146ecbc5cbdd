"""All programs in turn, round after round, and what they showed."""

import datetime
import os
import re
import shutil
import subprocess
import sys

from bench.comparing import programs

# The record that is written as JSON:
#   date, command, rounds, n, machine {cpu, cpus, kernel, load_before, load_after}, programs {NAME: what it is}
#   rows [{workload, procs, figure, unit, values {NAME: [one of each round]}, failed [NAME]}], procs 0: not said


def in_turns(peers, cells, rounds, run):
    """Rows of every cell (workload, procs), by run(peer, workload, procs) -> {(figure, unit): value}.

    Who begins changes from round to round. Whoever fails at a cell, or lacks it, is not asked for it again.
    """
    rows = {}
    failed = {cell: [] for cell in cells}
    lacking = set()
    for number in range(rounds):
        order = peers[number % len(peers):] + peers[:number % len(peers)]
        for cell in cells:
            for peer in order:
                if peer.name in failed[cell] or (cell, peer.name) in lacking:
                    continue
                progress("round %d of %d: %s %s" % (number + 1, rounds, peer.name, cell[0]))
                try:
                    figures = run(peer, *cell)
                except programs.Failed as failure:
                    progress("")
                    print(failure, file=sys.stderr)
                    failed[cell].append(peer.name)
                    continue
                if not figures:
                    lacking.add((cell, peer.name))
                for figure, value in figures.items():
                    rows.setdefault((cell, figure), {}).setdefault(peer.name, []).append(value)
    progress("")
    return listed(rows, cells, failed)


def listed(rows, cells, failed):
    """The rows in the order of the cells. A figure that gort has not is none of ours."""
    return [{"workload": cell[0], "procs": cell[1], "figure": figure[0], "unit": figure[1], "values": values, "failed": failed[cell]}
            for cell in cells for (of, figure), values in rows.items() if of == cell and "gort" in values]


def progress(text):
    """Says on a terminal what is going on."""
    if sys.stderr.isatty():
        print("\r%-60s\r%s" % ("", text), end="", file=sys.stderr, flush=True)


def machine():
    """Where this runs."""
    with open("/proc/cpuinfo") as lines:
        models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {"cpu": models[0] if models else os.uname().machine, "cpus": programs.cpus(), "kernel": "Linux " + os.uname().release}


def load():
    return [round(value, 2) for value in os.getloadavg()]


def first_line(*command):
    """Of what a command prints; empty: it could not be run."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, cwd=programs.ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return (done.stdout.decode(errors="replace").splitlines() or [""])[0]


def package(name):
    """Version of a Debian package; empty: not installed."""
    return first_line("dpkg-query", "-W", "-f", "${Version}\n", name)


def about(peer):
    """What a program is, as far as this machine can tell: versions of the peers that we know."""
    if peer.name == "gort":
        parts = [first_line("git", "describe", "--always", "--dirty"), "--config=opt", first_line("gcc", "--version")]
    elif peer.name == "go":
        parts = [first_line(programs.go_compiler() or "go", "version", peer.binaries[0]).rpartition(" ")[2]]
    elif peer.name == "boostfiber":
        parts = ["libboost-fiber-dev " + package("libboost-fiber-dev"), first_line("gcc", "--version")]
    elif peer.name == "tokio":
        parts = ["librust-tokio-dev " + package("librust-tokio-dev"), first_line("rustc", "--version")]
    else:
        parts = []
    return ", ".join(part for part in parts if part)


def command(argv):
    """The command line without the folders of this machine."""
    return " ".join(["bench/" + os.path.basename(argv[0])] + [re.sub(r"(^|=)[^=]*/(?=[^/]+$)", r"\1", word) for word in argv[1:]])


def record(peers, cells, rounds, n, run, said):
    """Measures, and returns the record. said: {NAME: what it is} where the user says so."""
    result = {
        "date": datetime.date.today().isoformat(),
        "command": command(sys.argv),
        "rounds": rounds,
        "n": n,
        "machine": dict(machine(), load_before=load()),
        "programs": {peer.name: said.get(peer.name) or about(peer) for peer in peers},
        "rows": in_turns(peers, cells, rounds, run),
    }
    result["machine"]["load_after"] = load()
    return result
