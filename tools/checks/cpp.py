"""What the checks share that read C++: the shipped sources, without their comments."""

import os
import re

from tools.checks.names import packages
from tools.checks.tree import walk

_TEST = re.compile(r"_(?:test|benchmark|fuzz)\.cc$")
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


def is_test(path):
    """A test, a benchmark or a helper of them, which a program that uses gort does not link."""
    return bool(_TEST.search(path)) or "/testing/" in path


def shipped(root):
    """Path -> text of every C++ source that is shipped: the packages of docs/deps.txt, their tests left out."""
    names = set(packages(root))
    sources = {}
    for folder, path in walk(root):
        if folder.split("/")[0] in names and path.endswith((".h", ".cc")) and not is_test(path):
            with open(os.path.join(root, path), encoding="utf-8") as f:
                sources[path] = f.read()
    return sources
