"""One version: base/version.h says which, in numbers and in text, and CHANGELOG.md and MODULE.bazel say the same."""

import re

from tools.checks.blocks import read

HEADER = "base/version.h"
_NUMBER = re.compile(r"^#define GORT_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)$", re.MULTILINE)
_TEXT = re.compile(r'^#define GORT_VERSION_STRING "([^"]*)"$', re.MULTILINE)
_ELSEWHERE = {
    "CHANGELOG.md": re.compile(r"^## (\S+)", re.MULTILINE),  # the newest stands first
    "MODULE.bazel": re.compile(r'^    version = "([^"]*)"', re.MULTILINE),
}


def check(root):
    """Where a version is not that of base/version.h."""
    text = read(root, HEADER)
    numbers = ".".join(_NUMBER.findall(text))
    said = {HEADER: _TEXT.search(text)}
    said.update((path, pattern.search(read(root, path))) for path, pattern in _ELSEWHERE.items())
    return ["%s: the version is %s, not %s" % (path, numbers, found and found.group(1))
            for path, found in said.items() if not found or found.group(1) != numbers]
