"""Programs of apps/ and examples/ are users: they include what users include, and have no code in namespace gort.

Code of namespace gort counts as the runtime's and is never pre-empted, so a program there would show something else than a user's.
"""

import os
import re

from tools.checks import public
from tools.checks.tree import walk

FOLDERS = ("apps", "examples")
# What programs share, and what one of them asks about its own process.
_ALSO = ("gort/apps/", "gort/tests/support/process.h")
_TESTS = ("_test.cc", "_fuzz.cc")
_INCLUDE = re.compile(r"^\s*#\s*include\s+[\"<](gort/[^\">]+)[\">]", re.MULTILINE)
_NAMESPACE = re.compile(r"^\s*(?:inline\s+)?namespace\s+gort\b", re.MULTILINE)


def check(root):
    """An error for each inner header that a program includes, and for each program with code in namespace gort."""
    with open(os.path.join(root, public.LIST), encoding="utf-8") as f:
        targets, _, _ = public.read_list(f.read())
    headers = {h for names in targets.values() for h in names}
    errors = []
    for _, path in walk(root):
        if path.split("/")[0] not in FOLDERS or not path.endswith((".cc", ".h")):
            continue
        with open(os.path.join(root, path), encoding="utf-8") as f:
            text = f.read()
        if _NAMESPACE.search(text):
            errors.append("%s: code of a program in namespace gort is never pre-empted" % path)
        if not path.endswith(_TESTS):
            errors += ["%s: %s is not for programs (%s)" % (path, name, public.LIST)
                       for name in _INCLUDE.findall(text) if name not in headers and not name.startswith(_ALSO)]
    return errors
