"""Medians, ratios and their spread, and tables of them."""

import statistics


def median(row, name):
    """Of one program's values; None: it has none."""
    values = row["values"].get(name)
    return statistics.median(values) if values else None


def ratio(row, name, base):
    """(median of name through that of base, the smallest and the largest ratio of one round); None: one of the two has no value above 0."""
    ours, theirs = row["values"].get(name), row["values"].get(base)
    if not ours or not theirs or statistics.median(ours) <= 0 or statistics.median(theirs) <= 0:
        return None
    each = [a / b for a, b in zip(ours, theirs) if b > 0]
    return statistics.median(ours) / statistics.median(theirs), min(each), max(each)


def text(value):
    """Three significant digits, no exponent."""
    return "%.0f" % value if abs(value) >= 100 else "%.3g" % value


def shown(row, name):
    """A median as a table has it."""
    if name in row["failed"]:
        return "failed"
    value = median(row, name)
    return "-" if value is None else "%s %s" % (text(value), row["unit"])


def table(rows, names):
    """Lists of strings: every row, each program's median, and gort's ratio to each of the others with its spread."""
    lines = [["workload", "procs", "figure", "gort"] + [word for name in names[1:] for word in (name, "gort/" + name, "spread")]]
    for row in rows:
        line = [row["workload"], str(row["procs"] or "-"), row["figure"], shown(row, "gort")]
        for name in names[1:]:
            of = ratio(row, "gort", name)
            line += [shown(row, name)] + (["%.2f" % of[0], "%.2f..%.2f" % of[1:]] if of else ["-", "-"])
        lines.append(line)
    return lines


def markdown(lines, left=(0, 2)):
    """A table that reads well as text too. left: the columns of names; the others have numbers."""
    width = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    printed = ["| %s |" % " | ".join(cell.ljust(w) if i in left else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, width)))
               for line in lines]
    rule = "|%s|" % "|".join("-" * (w + 2) if i in left else "-" * (w + 1) + ":" for i, w in enumerate(width))
    return "\n".join([printed[0], rule] + printed[1:])


def described(record):
    """The lines below a table: where, when, what."""
    machine = record["machine"]
    lines = ["%s, %d CPUs, %s; load before %s, after %s" % (
        machine["cpu"], machine["cpus"], machine["kernel"], " ".join(map(str, machine["load_before"])),
        " ".join(map(str, machine["load_after"])))]
    lines += ["%s: %s" % item for item in record["programs"].items() if item[1]]
    return "\n".join(lines + ["%s, %d rounds" % (record["date"], record["rounds"])])
