"""READMEs name what stands in their folders.

The README of a shipped package names every file of the package that a reader may look for.

That is each header and each source without a header of its name; `runq.{h,cc}`, `g.h m.h` and `runq` name theirs. What platforms/PORTING.md
names (the files of a port), tests and their helpers need no row. tests/README.md and apps/README.md have a row for each folder,
examples/README.md one for each program, and no others. The records of docs/adr/ are numbered from 1 on, in names and titles.
"""

import os
import re

from tools.checks import cpp, porting
from tools.checks.blocks import read
from tools.checks.names import packages
from tools.checks.tree import walk


def _of_ports(root):
    return {path for files in porting.port_files(root).values() for path in files}


def _wanted(root):
    """(package, path) of each file that a README must name."""
    paths = set(cpp.shipped(root)) - _of_ports(root)
    for path in sorted(paths):
        if path.endswith(".h") or path[:-len(".cc")] + ".h" not in paths:
            yield path.split("/")[0], path


_ROW = re.compile(r"^\| \[?`(\w+)`", re.MULTILINE)


def _rows(root, folder, wanted):
    """An error for each of `wanted` without a row in the README of a folder, and for each row of something else."""
    page = os.path.join(folder, "README.md")
    if not os.path.exists(os.path.join(root, page)):
        return
    rows = set(_ROW.findall(read(root, page)))
    for name in sorted(wanted - rows):
        yield "%s: has no row for %s" % (page, name)
    for name in sorted(rows - wanted):
        if not os.path.exists(os.path.join(root, folder, name)):  # walk() leaves other workspaces out
            yield "%s: has a row for %s, which is not there" % (page, name)


def _lists(root):
    folders = {folder for folder, _ in walk(root)}

    def below(top):
        return {f.split("/")[1] for f in folders if f.startswith(top + "/") and f != "apps/common"}

    programs = {path for folder, path in walk(root) if folder == "examples" and path.endswith(".cc") and not path.endswith("_test.cc")}
    yield from _rows(root, "tests", below("tests"))
    yield from _rows(root, "apps", below("apps"))
    yield from _rows(root, "examples", {os.path.basename(p)[:-len(".cc")] for p in programs})


def _records(root):
    """An error for each record of docs/adr/ whose number is not the next one, or not that of its title."""
    names = sorted(os.path.basename(path) for folder, path in walk(root) if folder == "docs/adr")
    for number, name in enumerate(names, 1):
        page = os.path.join("docs", "adr", name)
        if not name.startswith("%04d-" % number):
            yield "%s: should be number %04d" % (page, number)
        elif not read(root, page).startswith("# %04d " % number):
            yield "%s: its title has another number" % page


def check(root):
    """An error for each file that its package's README does not name, and for each row that is missing or too many."""
    errors = list(_lists(root)) + list(_records(root))
    texts = {p: read(root, os.path.join(p, "README.md")) for p in packages(root) if os.path.exists(os.path.join(root, p, "README.md"))}
    for package, path in _wanted(root):
        stem = os.path.basename(path).rpartition(".")[0]
        if not re.search(r"\b%s\b" % re.escape(stem), texts.get(package, "")):
            errors.append("%s/README.md: does not name %s" % (package, path))
    return errors
