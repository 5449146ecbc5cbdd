"""Layer numbers agree with docs/deps.txt, the one source of the packages, their order and their edges.

A package's layer is 1 more than the highest layer of what it may use. It stands in docs/deps.txt itself (at the end of the line),
in README.md's table of packages, and wherever a header or a package's README says "Layer N". The words of the table are the
titles of the packages' READMEs: "# base: vocabulary …". Where a header says "used by proc only", no other package includes it.
"""

import os
import re

from tools.checks import blocks, cpp
from tools.checks.tree import walk

_DEPS = os.path.join("docs", "deps.txt")
_README = "README.md"
_EDGES = re.compile(r"^([a-z0-9_]+):([^#]*)(?:#\s*(\d+)(.*))?$")
# "// Layer     10. Any thread": a label in a header's head. "Layer 3. For …": the beginning of a line in a README.
_LAYER = re.compile(r"^((?:// |# )?Layer +)(\d+)", re.MULTILINE)
_ONLY = re.compile(r"^// Layer +\d+, used by (\w+) only", re.MULTILINE)
_INCLUDE = re.compile(r'^#include "gort/([^"]+)"', re.MULTILINE)
_COLUMN = 99


def _packages(root):
    """package -> (line number, names it may use, the layer that its line says or None)."""
    found = {}
    for number, line in enumerate(blocks.read(root, _DEPS).split("\n")):
        m = _EDGES.match(line)
        if m and not line.startswith("#"):
            found[m.group(1)] = (number, m.group(2).split(), int(m.group(3)) if m.group(3) else None)
    return found


def layers(root):
    """package -> layer, in the order of docs/deps.txt."""
    result = {}
    for package, (_, uses, _) in _packages(root).items():
        result[package] = 1 + max([result.get(name, 0) for name in uses], default=0)
    return result


def _files(root, known):
    """(package, path) of what may say "Layer N": headers, sources and READMEs of the packages."""
    for folder, path in walk(root):
        package = folder.split(os.sep)[0]
        if package in known and path.endswith((".h", ".cc", ".S", ".md")):
            yield package, path


def _title(root, package):
    """What the first line of the package's README says after the colon, or None."""
    try:
        first = blocks.read(root, os.path.join(package, "README.md")).split("\n")[0]
    except FileNotFoundError:
        return None
    head, colon, words = first.partition(": ")
    return words if colon and head == "# " + package else None


def _table(root, known):
    rows = ["| package | layer | what it is |", "|---|---|---|"]
    for package, layer in known.items():
        rows.append("| [%s](%s/README.md) | %d | %s |" % (package, package, layer, _title(root, package)))
    return "\n".join(rows) + "\n"


def _used_by_others(root, known):
    """Errors: headers that say of one package that it alone uses them, and are included by another."""
    shipped = cpp.shipped(root)
    alone = {path: m.group(1) for path, text in shipped.items() for m in [_ONLY.search(text)] if m and m.group(1) in known}
    for path, text in sorted(shipped.items()):
        package = path.split("/")[0]
        for header in _INCLUDE.findall(text):
            if alone.get(header, package) != package:
                yield "%s: says that %s alone uses it; %s includes it" % (header, alone[header], path)


def check(root):
    known = layers(root)
    errors = []
    if list(known.values()) != sorted(known.values()):
        errors.append("%s: the lines do not go from the lowest layer to the highest" % _DEPS)
    for package, (number, _, said) in _packages(root).items():
        if said != known[package]:
            errors.append("%s:%d: %s is of layer %d, not %s" % (_DEPS, number + 1, package, known[package], said))
        if _title(root, package) is None:
            errors.append("%s/README.md: does not begin with \"# %s: what it is\"" % (package, package))
    for package, path in _files(root, known):
        for m in _LAYER.finditer(blocks.read(root, path)):
            if int(m.group(2)) != known[package]:
                errors.append("%s: says layer %s, %s is of layer %d" % (path, m.group(2), package, known[package]))
    errors += _used_by_others(root, known)
    return errors + blocks.check(root, _README, "packages", _table(root, known))


def write(root):
    known = layers(root)
    lines = blocks.read(root, _DEPS).split("\n")
    for package, (number, uses, _) in _packages(root).items():
        remark = _EDGES.match(lines[number]).group(4) or ""
        edges = " ".join(uses)
        line = ("%-10s %s" % (package + ":", edges)).rstrip()
        lines[number] = "%-*s# %d%s" % (max(_COLUMN, len(line) + 2), line, known[package], remark.rstrip())
    blocks.write_text(root, _DEPS, "\n".join(lines))
    for package, path in _files(root, known):
        text = blocks.read(root, path)
        new = _LAYER.sub(lambda m, layer=known[package]: m.group(1) + str(layer), text)
        if new != text:
            blocks.write_text(root, path, new)
    blocks.write(root, _README, "packages", _table(root, known))
