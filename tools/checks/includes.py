"""Every include of a header of gort is "gort/<package>/<file>.h", and names one that is there."""

import os
import re

from tools.checks import porting
from tools.checks.tree import walk

_INCLUDE = re.compile(r"^\s*#\s*include\s+([\"<])([^\">]+)[\">]", re.MULTILINE)

# Headers whose path by include is not their folder: //runtime's, by include_prefix.
_INCLUDED_AS = {"gort/gort.h": "runtime/gort.h", "gort/runtime.h": "runtime/runtime.h"}


def check(root):
    """An error for each include of a header of ours that is not "gort/<package>/<file>.h", or of one that is not there."""
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
            elif name in sources or (mark == '"' and os.path.join(folder, name) in sources):
                errors.append("%s: a header of gort is included as \"gort/<package>/<file>.h\", this one as %s" % (path, name))
    return errors
