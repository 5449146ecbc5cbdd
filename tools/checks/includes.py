"""Every include of a header of gort is "gort/<package>/<file>.h", and names one that is there and may be included there.

`proc/internal/` is for proc, its tests and its model: Bazel hands private headers on to whoever depends on a target, and gcc has no
layering to refuse them.
"""

import os
import re

from tools.checks import porting
from tools.checks.tree import walk

_INCLUDE = re.compile(r"^\s*#\s*include\s+([\"<])([^\">]+)[\">]", re.MULTILINE)

# Headers whose path by include is not their folder: //runtime's, by include_prefix.
_INCLUDED_AS = {"gort/gort.h": "runtime/gort.h", "gort/runtime.h": "runtime/runtime.h"}


# A folder of headers -> the folders whose files may include them.
_FOR_FEW = {"proc/internal/": ("proc/", "tests/model/")}


def check(root):
    """An error for each include of a header of ours that is not "gort/<package>/<file>.h", is not there, or is for others."""
    errors = []
    sources = {}
    # gmp/arch.h stands there as gmp/arch_<cpu>.h.
    of_a_port = {role.replace("_<os>", "").replace("_<cpu>", "") for role in porting.port_files(root)}
    for folder, path in walk(root):
        if path.endswith((".h", ".cc", ".S")):
            sources[path] = folder
    for path, folder in sources.items():
        with open(os.path.join(root, path), encoding="utf-8") as f:
            names = _INCLUDE.findall(f.read())
        for mark, name in names:
            if name.startswith("gort/"):
                header = _INCLUDED_AS.get(name, name[len("gort/"):])
                if header not in sources and header not in of_a_port:
                    errors.append("%s: no such header of gort: %s" % (path, name))
                for folder_of_few, users in _FOR_FEW.items():
                    if header.startswith(folder_of_few) and not path.startswith(users):
                        errors.append("%s: %s is for the files of %s" % (path, name, " and ".join(users)))
            elif name in sources or (mark == '"' and os.path.join(folder, name) in sources):
                errors.append("%s: a header of gort is included as \"gort/<package>/<file>.h\", this one as %s" % (path, name))
    return errors
