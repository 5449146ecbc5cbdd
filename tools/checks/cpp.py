"""What the checks share that read C++: the shipped sources, without their comments."""

import os
import re

from tools.checks.names import packages
from tools.checks.tree import walk

_OUTSIDE = re.compile(r"_(?:test|benchmark|fuzz)\.cc$|_fake\.(?:h|cc)$|/fake_\w+\.(?:h|cc)$|/(?:testing|fake)/|^(?:apps|bench|examples|tests|third_party)/")
_TOKEN = re.compile(
    r"//(?:\\\n|[^\n])*|/\*.*?\*/|R\"(\w*)\(.*?\)\1\"|\"(?:\\.|[^\"\\\n])*\"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.DOTALL)


def without_comments(text, keep_strings=True):
    """C++ with each comment blanked out, newlines kept; without keep_strings literals are empty ones."""

    def replace(match):
        token = match.group(0)
        lines = "\n" * token.count("\n")
        if token.startswith("/"):
            return " " + lines
        return token if keep_strings else ('""' if token[0] in "R\"" else "' '") + lines

    return _TOKEN.sub(replace, text)


def is_outside(path):
    """Not shipped: a test, a benchmark or a helper of them, or an example."""
    return bool(_OUTSIDE.search(path))


def sources(root):
    """Path -> text of every C++ source of gort."""
    texts = {}
    for _, path in walk(root):
        if path.endswith((".h", ".cc")):
            with open(os.path.join(root, path), encoding="utf-8") as f:
                texts[path] = f.read()
    return texts


def shipped(root):
    """Path -> text of every C++ source that is shipped: the packages of docs/deps.txt, their tests left out."""
    names = set(packages(root))
    return {p: t for p, t in sources(root).items() if p.split("/")[0] in names and not is_outside(p)}


def matching(text, at):
    """The index after the bracket that closes the one at `at`."""
    opening, depth = text[at], 0
    closing = {"{": "}", "(": ")", "[": "]"}[opening]
    for i in range(at, len(text)):
        depth += (text[i] == opening) - (text[i] == closing)
        if depth == 0:
            return i + 1
    return len(text)


def in_rt(text, at):
    """Whether an open namespace at `at` is gort::rt, the runtime's own."""
    for m in re.finditer(r"\bnamespace\s+(?:\w+::)*rt\s*(?=\{)", text[:at]):
        if matching(text, m.end()) > at:
            return True
    return False


def comment_of(lines, top, bottom):
    """The comment that ends lines top..bottom, and the one directly above."""
    text = [line.partition("//")[2] for line in lines[top:bottom + 1]]
    while top > 0 and lines[top - 1].lstrip().startswith("//"):
        top -= 1
        text.insert(0, lines[top].partition("//")[2])
    return "\n".join(text)
