"""docs/performance.md and its pictures, made from records (measure.py)."""

from bench.comparing import figures, plot

# What the table and the pictures show, in this order: (workload, figure, what a reader is told).
SHOWN = (
    ("spawn", "ns_per_op", "spawn and end"),
    ("yield", "ns_per_op", "yield"),
    ("pingpong", "ns_per_op", "ping-pong, unbuffered"),
    ("spsc", "ns_per_op", "spsc, capacity 128, per element"),
    ("mpmc", "ns_per_op", "mpmc 4×4, per element"),
    ("skynet", "total_ms", "skynet, a million leaves"),
    ("forkjoin", "ns_per_task", "fork-join tree, per task"),
    ("ring", "ns_per_hop", "ring of 1000, per hop"),
    ("mutex", "ns_per_op", "mutex, 8 goroutines"),
    ("rwmutex", "ns_per_op", "rwmutex, 8 readers, 1 writer"),
    ("select", "ns_per_op", "select over 4"),
    ("fanin", "ns_per_op", "fan-in 10,000 → 1"),
    ("timerstop", "ns_per_op", "timer made and stopped"),
    ("timers", "cpu_ms", "200,000 sleepers, CPU"),
    ("parked", "rss_per_goroutine", "a million parked, memory"),
    ("parked", "create_ms", "a million parked, create"),
    ("parked", "release_ms", "a million parked, release"),
    ("preempt", "p99_us", "ticker beside a computation, p99"),
    ("http c=64", "requests", "HTTP, 64 connections, per request"),
    ("http c=64", "p99", "HTTP, 64 connections, p99"),
    ("http c=512", "requests", "HTTP, 512 connections, per request"),
    ("http c=512", "p99", "HTTP, 512 connections, p99"),
    ("startup", "wall_ms", "start to end of an empty program"),
)
# Of these more is better: a ratio is turned round.
RATES = {"requests"}
BASE = "go"

_PAGE = """\
# Performance

Written by `bench/report` from what `bench/compare` and `bench/compare_http` measured. [bench/README.md](../bench/README.md) says what
each workload does and how to measure again.

Every ratio is a program's time (or memory) through Go's: **smaller is better**, and below 1 is faster than Go. For a rate, requests per
second, it is Go's through the program's. Two values in a cell are for GOMAXPROCS {procs}. A value is the median over the rounds;
the spread is the smallest and the largest ratio of one round.

{ratios}

{pictures}

## How it was measured

{conditions}

Programs:

{programs}

## Every figure

{details}
"""


def by_procs(rows):
    """{(workload, figure): {procs: row}}"""
    found = {}
    for row in rows:
        found.setdefault((row["workload"], row["figure"]), {})[row["procs"]] = row
    return found


def to_go(row, name):
    """figures.ratio to Go's, smaller is better."""
    return figures.ratio(row, BASE, name) if row["figure"] in RATES else figures.ratio(row, name, BASE)


def best(row, names):
    """(ratio, name) of the best of these programs; None: none has this row."""
    found = [(to_go(row, name)[0], name) for name in names if to_go(row, name)]
    return min(found, default=None)


def cell(rows, text):
    """The texts of one row for each number of Ps; one dash where there is nothing to say."""
    texts = [text(rows[procs]) for procs in sorted(rows)]
    return " · ".join(texts) if any(t != "–" for t in texts) else "–"


def ratio_text(row):
    of = to_go(row, "gort")
    return "%.2f" % of[0] if of else "–"


def spread_text(row):
    of = to_go(row, "gort")
    return "%.2f–%.2f" % of[1:] if of else "–"


def ratio_table(rows, names):
    """What a reader wants to know first: gort and the best peer, both through Go. names: the peers beside Go."""
    found = by_procs(rows)
    lines = [["", "gort/Go", "spread", "best peer/Go", "which"]]
    for workload, figure, label in SHOWN:
        of = found.get((workload, figure))
        if not of:
            continue
        lines.append([label, cell(of, ratio_text), cell(of, spread_text),
                      cell(of, lambda row: "%.2f" % best(row, names)[0] if best(row, names) else "–"),
                      cell(of, lambda row: best(row, names)[1] if best(row, names) else "–")])
    return figures.markdown(lines, left=(0, 4))


def picture(rows, names, procs):
    """SVG of the rows for this number of Ps, and of those where it says nothing."""
    found = by_procs(rows)
    drawn = []
    for workload, figure, label in SHOWN:
        of = found.get((workload, figure), {})
        row = of.get(procs) or of.get(0)
        if row and to_go(row, "gort"):
            drawn.append((label, [to_go(row, name) for name in names]))
    return plot.svg("Time through Go's (1: as fast as Go; left is better), GOMAXPROCS=%d" % procs, names, drawn)


def conditions(record):
    """One item of a list for each record."""
    machine = record["machine"]
    return "- %s, %d rounds: `%s`, on %s with %d CPUs, %s; load before %s, after %s" % (
        record["date"], record["rounds"], record["command"], machine["cpu"], machine["cpus"], machine["kernel"],
        " ".join(map(str, machine["load_before"])), " ".join(map(str, machine["load_after"])))


def pages(records):
    """{file name: text}: performance.md, and the pictures, which stand in img/."""
    rows = [row for record in records for row in record["rows"]]
    about = {name: text for record in reversed(records) for name, text in record["programs"].items()}
    peers = [name for name in about if name not in ("gort", BASE)]
    all_procs = sorted({row["procs"] for row in rows if row["procs"]})
    result = {"img/performance_%d.svg" % procs: picture(rows, ["gort"] + peers, procs) for procs in all_procs}
    result["performance.md"] = _PAGE.format(
        procs=" and ".join(map(str, all_procs)),
        ratios=ratio_table(rows, peers),
        pictures="\n\n".join("![ratios, GOMAXPROCS=%d](img/performance_%d.svg)" % (procs, procs) for procs in all_procs),
        conditions="\n".join(map(conditions, records)),
        programs="\n".join("- %s: %s" % item for item in about.items()),
        details=figures.markdown(figures.table(rows, list(about))))
    return result
