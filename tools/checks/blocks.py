"""The generated parts of documents: what stands between two markers, which do not show when the document is rendered.

    <!-- begin NAME: written by tools/lint --write -->
    …
    <!-- end NAME -->
"""

import os

_BEGIN = "<!-- begin %s: written by tools/lint --write -->\n"
_END = "<!-- end %s -->\n"


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def write_text(root, path, text):
    with open(os.path.join(root, path), "w", encoding="utf-8") as f:
        f.write(text)


def _split(text, name):
    """(before, inside, after) with the markers in the outer parts, or None."""
    head, begin, rest = text.partition(_BEGIN % name)
    inside, end, tail = rest.partition(_END % name)
    return (head + begin, inside, end + tail) if begin and end else None


def check(root, path, name, want):
    """Errors if the part NAME of the document at path is not `want`."""
    parts = _split(read(root, path), name)
    if parts is None:
        return ["%s: has no markers of the part %s" % (path, name)]
    have, wanted = parts[1].split("\n"), want.split("\n")
    if have == wanted:
        return []
    errors = ["%s: the part %s is out of step; run tools/lint --write" % (path, name)]
    errors += ["+ " + line for line in wanted if line not in have]
    return errors + ["- " + line for line in have if line not in wanted]


def write(root, path, name, want):
    """Puts `want` into the part NAME of the document at path."""
    text = read(root, path)
    parts = _split(text, name)
    if parts is not None and parts[1] != want:
        write_text(root, path, parts[0] + want + parts[2])
