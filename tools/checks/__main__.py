"""python3 -m tools.checks [--write]: everything in this folder that looks at the source tree. tools/lint calls it.

A check is a module with `check(root)`, which returns what is wrong as lines of text; one that keeps a generated file also has
`write(root)`, which --write calls first. Each has a test beside it that seeds the fault and sees it found.
"""

import importlib
import os
import pkgutil
import sys

_NOT_CHECKS = ("__main__", "blocks", "cpp", "testing", "tree")


def modules():
    """Every check, in the order of their names."""
    folder = os.path.dirname(os.path.realpath(__file__))
    names = sorted(m.name for m in pkgutil.iter_modules([folder]) if not m.name.endswith("_test"))
    return [importlib.import_module("tools.checks." + n) for n in names if n not in _NOT_CHECKS]


def errors(root):
    """What every check finds wrong with the workspace at root."""
    return ["%s: %s" % (m.__name__.rpartition(".")[2], e) for m in modules() for e in m.check(root)]


def main(argv):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    if argv[1:] == ["--write"]:
        for module in modules():
            if hasattr(module, "write"):
                module.write(root)
    elif argv[1:]:
        print(__doc__)
        return 2
    found = errors(root)
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
