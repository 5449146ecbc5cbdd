"""No two files of gort define types of one name in one namespace: a program that has both would break the rule of one definition, and no
compiler sees that in two files. Files of which a program has one alone, of one CPU each, may. What is inside a class or an unnamed namespace is
the file's own.
"""

import collections
import re

from tools.checks import cpp

_SCOPE = re.compile(r"\bnamespace\b\s*([\w:]*)\s*\{|[{}]")
_TYPE = re.compile(r"\b(?:struct|class|union|enum(?:\s+class)?)\s+(?:(?:\w+\([^()]*\)|\[\[[^\]]*\]\]|[A-Z_]{2,})\s+)*(\w+)(?:\s+final)?\s*(?::(?!:)[^{};()]*)?$")
_CPU = re.compile(r"_(?:amd64|arm64|linux)(?=[_.])")


def types(text):
    """The full names of the types that stand directly in named namespaces; text: without comments."""
    scopes, last = [], 0
    for m in _SCOPE.finditer(text):
        if m.group(0) == "}":
            if scopes:
                scopes.pop()
        elif m.group(0) == "{":
            found = _TYPE.search(re.split(r"[;{}]", text[last:m.start()])[-1])
            if found and None not in scopes:
                yield "::".join(scopes + [found.group(1)])
            scopes.append(None)
        else:
            scopes.append(m.group(1) or None)
        last = m.end()


def check(root):
    files = collections.defaultdict(dict)
    for path, text in cpp.shipped(root).items():
        for name in types(cpp.without_comments(text, keep_strings=False)):
            files[name].setdefault(_CPU.sub("", path), path)
    return ["%s is defined in %s" % (name, " and ".join(sorted(paths.values()))) for name, paths in sorted(files.items()) if len(paths) > 1]
