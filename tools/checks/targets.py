"""README.md's table of targets has the public targets of docs/public.txt, each with headers that stand there, and no others."""

import os
import re

from tools.checks import public
from tools.checks.blocks import read

_README = "README.md"
_ROW = re.compile(r"^\| `@gort(//[^`]*)` \|([^|]*)\|", re.MULTILINE)
_SPAN = re.compile(r"`([^`]*)`")


def check(root):
    known, _, _ = public.read_list(read(root, os.path.join("docs", "public.txt")))
    rows = {label: _SPAN.findall(headers) for label, headers in _ROW.findall(read(root, _README))}
    errors = ["%s: the table of targets lacks @gort%s" % (_README, label) for label in known if label not in rows]
    for label, headers in rows.items():
        if label not in known:
            errors.append("%s: @gort%s is no public target" % (_README, label))
            continue
        # A table need not repeat the parts of a header that puts others together; the first is the one to include.
        wrong = [h for h in headers if h not in known[label]]
        if wrong or headers[:1] != known[label][:1]:
            errors.append("%s: @gort%s has the headers %s" % (_README, label, " ".join(known[label]) or "(none)"))
    return errors
