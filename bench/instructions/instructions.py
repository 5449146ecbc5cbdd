"""Counts the instructions of the fast paths by callgrind, and holds them to golden.txt.

    bazel run //bench/instructions:update

counts and rewrites golden.txt; instructions_test.py compares. Run where the programs stand in bench/instructions/, as Bazel does.
"""

import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile

FOLDER = os.path.join("bench", "instructions")
GOLDEN = os.path.join(FOLDER, "golden.txt")
PROGRAMS = tuple(os.path.join(FOLDER, name) for name in ("counted_fast_paths", "counted_bare_switch"))
ALLOWED_GROWTH = 0.05

_HEAD = """\
# Instructions of one operation, counted by callgrind. A test fails when one grows by more than 5 %. Do not edit:
#     bazel run //bench/instructions:update
"""
_LABEL = re.compile(r"^desc: Trigger: Client Request: (\w+) (\d+)$", re.MULTILINE)
_TOTAL = re.compile(r"^totals: (\d+)$", re.MULTILINE)


def why_not():
    """Why nothing can be counted here; empty: it can."""
    if os.environ.get("GORT_RUN_UNDER"):
        return "valgrind does not go together with an emulator"
    if shutil.which("valgrind") is None:
        return "valgrind is not installed"
    return ""


def compiler():
    """Name and major version of what built the programs, which they print."""
    done = subprocess.run([PROGRAMS[0]], env=dict(os.environ, GOMAXPROCS="1"), check=True, stdout=subprocess.PIPE)
    return done.stdout.decode().strip()


def per_operation(profiles):
    """{name: instructions of one operation} from the texts of profiles, of n and of 2n operations each."""
    totals = collections.defaultdict(list)
    for text in profiles:
        label = _LABEL.search(text)
        if label:  # the last one has what came after the last operation
            totals[label[1], int(label[2])].append(int(_TOTAL.search(text)[1]))
    counts = {}
    for name in dict.fromkeys(name for name, _ in totals):
        n, twice = sorted(size for other, size in totals if other == name)
        assert twice == 2 * n, (name, n, twice)
        counts[name] = (min(totals[name, twice]) - min(totals[name, n])) / n
    return counts


def count():
    """per_operation of every program."""
    counts = {}
    for program in PROGRAMS:
        with tempfile.TemporaryDirectory() as folder:
            # Debian 12's valgrind gives up on the debug information of some compilers.
            stripped = os.path.join(folder, "program")
            subprocess.run(["strip", "--strip-debug", "-o", stripped, program], check=True)
            subprocess.run(["valgrind", "--quiet", "--tool=callgrind", "--callgrind-out-file=%s/profile" % folder, stripped],
                           env=dict(os.environ, GOMAXPROCS="1"), check=True, stdout=subprocess.DEVNULL)
            texts = []
            for name in sorted(os.listdir(folder)):
                if name.startswith("profile"):
                    with open(os.path.join(folder, name), errors="replace") as f:
                        texts.append(f.read())
            counts.update(per_operation(texts))
    return counts


def write_golden(built_by, counts):
    """The text of golden.txt."""
    return _HEAD + "compiler %s\n" % built_by + "".join("%s %.0f\n" % item for item in sorted(counts.items()))


def read_golden(text):
    """(compiler, {name: count}), of what write_golden wrote."""
    lines = [line.partition(" ") for line in text.splitlines() if not line.startswith("#")]
    assert lines[0][0] == "compiler"
    return lines[0][2], {name: int(value) for name, _, value in lines[1:]}


def differences(golden, counts):
    """(what is wrong, what is better than it need be), as lists of lines."""
    wrong = ["%s: no golden" % name for name in sorted(set(counts) - set(golden))]
    wrong += ["%s: not counted" % name for name in sorted(set(golden) - set(counts))]
    better = []
    for name in sorted(set(golden) & set(counts)):
        change = counts[name] / golden[name] - 1
        line = "%s: %.1f instructions, golden %d: %+.1f %%" % (name, counts[name], golden[name], 100 * change)
        if change > ALLOWED_GROWTH:
            wrong.append(line)
        elif change < -ALLOWED_GROWTH:
            better.append(line)
    return wrong, better


def main():
    reason = why_not()
    if reason:
        sys.exit("update: " + reason)
    with open(GOLDEN, encoding="utf-8") as f:
        _, before = read_golden(f.read())
    counts = count()
    with open(os.path.join(os.environ["BUILD_WORKSPACE_DIRECTORY"], GOLDEN), "w", encoding="utf-8") as f:
        f.write(write_golden(compiler(), counts))
    for name in sorted(counts):
        print("%-16s %8s -> %6.0f" % (name, before.get(name, "-"), counts[name]))


if __name__ == "__main__":
    main()
