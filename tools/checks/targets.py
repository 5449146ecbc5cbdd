"""README.md's table of targets names every public target of the shipped packages, and nothing else."""

import ast
import re

from tools.checks import deps
from tools.checks.blocks import read

_README = "README.md"
_ROW = re.compile(r"^\| `@gort(//[^`]*)` \|", re.MULTILINE)
_PUBLIC = "//visibility:public"
_RULES = ("alias", "gort_cc_library")
# For BUILD files and WORKSPACE, not for programs.
_NOT_LIBRARIES = ("platforms",)


def public(root):
    """The labels of the public libraries, as users write them."""
    found = set()
    for package, path in deps.build_files(root):
        top = package.split("/")[0]
        if path.endswith(".bzl") or top in deps.NOT_SHIPPED or top in _NOT_LIBRARIES:
            continue
        tree = ast.parse(read(root, path), path)
        default = False
        for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)):
            arguments = {k.arg: ast.dump(k.value) for k in call.keywords}
            if call.func.id == "package":
                default = _PUBLIC in arguments.get("default_visibility", "")
            elif call.func.id in _RULES:
                names = [k.value.value for k in call.keywords if k.arg == "name" and isinstance(k.value, ast.Constant)]
                visible = _PUBLIC in arguments["visibility"] if "visibility" in arguments else default
                found.update(_label(package, name) for name in names if visible)
    return found


def _label(package, name):
    return "//" + package if package and package.rpartition("/")[2] == name else "//%s:%s" % (package, name)


def check(root):
    listed = _ROW.findall(read(root, _README))
    # What the aliases of the root package stand for.
    behind = {"//runtime", "//runtime:gort"}
    known = public(root) - behind
    errors = ["%s: the table of targets lacks @gort%s" % (_README, label) for label in sorted(known - set(listed))]
    return errors + ["%s: @gort%s is no public target" % (_README, label) for label in listed if label not in known]

