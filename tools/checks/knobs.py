"""Every GODEBUG key does something and is in README.md, and so is every environment variable that gort reads; documents name no other key.

The keys are the rows of base/godebug_keys.h. A variable is what shipped code gives to getenv(); the meaning of each stands in a
comment "Environment: ..." above one of these calls.
"""

import os
import re

from tools.checks import blocks, cpp
from tools.checks.links import documents

KEYS = os.path.join("base", "godebug_keys.h")
README = "README.md"
TEXT = -1  # in the place of a maximum: the value is a text

_ROW = re.compile(r"\bX\(\s*(\w+)\s*,[\s\\]*([\w']+)\s*,[\s\\]*((?:\"(?:\\.|[^\"\\])*\"[\s\\]*)+)\)")
_TEXT_ROW = re.compile(r"\bX\(\s*(\w+)\s*,[\s\\]*((?:\"(?:\\.|[^\"\\])*\"[\s\\]*)+)\)")
_STRING = re.compile(r"\"((?:\\.|[^\"\\])*)\"")
_GETENV = re.compile(r"((?:^[ \t]*//.*\n)*)^[^\n]*\bgetenv\(\"(\w+)\"\)", re.MULTILINE)
_SETTING = re.compile(r"\bGODEBUG=[\w=.%/,-]+")
_MEANING = re.compile(r"//\s*Environment:\s*(.*)", re.DOTALL)


def keys(root):
    """(name, maximum, meaning) of each key, in the order of base/godebug_keys.h."""
    with open(os.path.join(root, KEYS), encoding="utf-8") as f:
        text = cpp.without_comments(f.read())
    numbers = [(name, _number(maximum), "".join(_STRING.findall(strings))) for name, maximum, strings in _ROW.findall(text)]
    return numbers + [(name, TEXT, "".join(_STRING.findall(strings))) for name, strings in _TEXT_ROW.findall(text)]


def _range(maximum):
    if maximum == TEXT:
        return "a text"
    return "2^63 - 1" if maximum == 2**63 - 1 else maximum


def _number(text):
    return 2**63 - 1 if text == "INT64_MAX" else int(text.replace("'", ""))


def variables(root):
    """Name -> meaning of each environment variable that shipped code reads; "" where no comment says it."""
    found = {}
    for text in cpp.shipped(root).values():
        for comment, name in _GETENV.findall(text):
            match = _MEANING.search(comment)
            meaning = re.sub(r"\s*\n\s*//\s*", " ", match.group(1)).strip() if match else ""
            found[name] = found.get(name) or meaning
    return found


def table(root):
    """The part "knobs" of README.md."""
    lines = ["", "| environment variable | meaning |", "|---|---|"]
    lines += ["| `%s` | %s |" % pair for pair in sorted(variables(root).items())]
    lines += ["", "| `GODEBUG` key | from 0 to | meaning |", "|---|---|---|"]
    lines += ["| `%s` | %s | %s |" % (name, _range(top), meaning) for name, top, meaning in keys(root)]
    return "\n".join(lines) + "\n\n"


def _unknown(root, known):
    """An error for each `GODEBUG=key` in a document or a shipped source whose key is none of `known`."""
    texts = {**{path: blocks.read(root, path) for path in documents(root)}, **cpp.shipped(root)}
    for path, text in sorted(texts.items()):
        for setting in _SETTING.findall(text):
            for pair in setting[len("GODEBUG="):].split(","):
                name, equals, _ = pair.partition("=")
                if equals and name not in known:
                    yield "%s: there is no GODEBUG key %s" % (path, name)


def check(root):
    """An error for each key that nothing reads or that a text invents, for each name without a meaning, and for a README.md out of step."""
    rows = keys(root)
    errors = [] if rows else ["%s: no keys: has its form changed?" % KEYS]
    code = "\n".join(cpp.without_comments(text) for text in cpp.shipped(root).values())
    for name, _, meaning in rows:
        if not re.search(r"\bgodebug\.%s\b(?!\s*=[^=])" % name, code):
            errors.append("%s: nothing reads godebug.%s" % (KEYS, name))
        if not meaning:
            errors.append("%s: %s has no meaning" % (KEYS, name))
    for name, meaning in sorted(variables(root).items()):
        if not meaning:
            errors.append("no comment \"Environment: ...\" stands above getenv(\"%s\")" % name)
    errors += _unknown(root, {name for name, _, _ in rows})
    return errors + blocks.check(root, README, "knobs", table(root))


def write(root):
    """Writes the tables into README.md."""
    blocks.write(root, README, "knobs", table(root))
