"""What an inner header declares as a function, shipped code uses somewhere. What only tests call has a comment that says "For tests",
what a public class inherits "For users"; and "Seam:" names a user to come.

A name is looked at as a word: one that two headers declare counts as used when either is. So the check finds what is dead for certain, and
not all that is.
"""

import collections
import os
import re

from tools.checks import cpp, public
from tools.checks.tree import walk

# After what a call can stand too: no type.
_NO_TYPE = r"(?!(?:return|else|new|delete|throw|case|goto|co_\w+|define|if|while|using|typename|decltype)\b)"
_DECLARED = re.compile(r"^ {0,4}" + _NO_TYPE + r"(?P<type>[A-Za-z_][\w:<>,&*\[\] ]*?[ >&*])(?P<name>[A-Za-z_]\w*)\((?P<rest>[^\n]*)", re.MULTILINE)
_DEFINED = re.compile(r"^" + _NO_TYPE + r"[A-Za-z_][^\n=;({]*?[ >&*:](\w+)\([^\n]*[^\n;]$", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z_]\w*")
# The language or the standard library calls these.
_CALLED_BY_NAME = frozenset(("begin", "end", "allocate", "deallocate"))
_ALLOWED = re.compile(r"\bFor (?:tests|users)\b|\bSeam:\s*\w")


def declarations(text):
    """(name, offset) of the functions that a header, without comments, declares or defines. Overriders are the base's to call."""
    for m in _DECLARED.finditer(text):
        name = m.group("name")
        if name.isupper() or name in _CALLED_BY_NAME or re.search(r"\b(?:override|friend|virtual)\b", m.group(0)):
            continue
        yield name, m.start()


def _comment_above(text, line):
    """The comment that ends above a line (from 0) of a file, and the one at its end."""
    lines = text.split("\n")
    first = line
    while first > 0 and lines[first - 1].lstrip().startswith("//"):
        first -= 1
    above = [part.strip().lstrip("/ ") for part in lines[first:line]]
    return " ".join(above + [lines[line].partition("//")[2]])


def _assembly(root):
    names = set(cpp.packages(root))
    for _, path in walk(root):
        if path.endswith(".S") and path.split("/")[0] in names and not cpp.is_outside(path):
            with open(os.path.join(root, path), encoding="utf-8") as f:
                yield f.read()


def check(root):
    with open(os.path.join(root, public.LIST), encoding="utf-8") as f:
        targets = public.read_list(f.read())[0]
    open_headers = {h for headers in targets.values() for h in headers}
    shipped = cpp.shipped(root)
    texts = {path: cpp.without_comments(text) for path, text in shipped.items()}
    uses = collections.Counter()
    for text in list(texts.values()) + list(_assembly(root)):
        uses.update(_WORD.findall(text))
    inner = {}
    for path, text in sorted(texts.items()):
        if path.endswith(".h"):
            named = path[len("runtime/"):] if path.startswith("runtime/") and path.count("/") == 1 else path
            for name, at in declarations(text):
                uses[name] -= 1
                if "gort/" + named not in open_headers:
                    inner.setdefault(name, (path, at))
        else:
            for m in _DEFINED.finditer(text):
                uses[m.group(1)] -= 1
    errors = []
    for name, (path, at) in sorted(inner.items(), key=lambda item: item[1]):
        if uses[name] > 0 or _ALLOWED.search(_comment_above(shipped[path], texts[path].count("\n", 0, at))):
            continue
        errors.append("%s: nothing calls %s; delete it, or say \"For tests\", \"For users\" or \"Seam:\" above it" % (path, name))
    return errors
