"""What differs from CPU to CPU stands in files of their own, and no #else means a CPU or an operating system.

Above `platforms` and outside of files that are named after a CPU no #if asks for one; tests may ask. Where one is asked for, or an
operating system, the last branch is an #error: a new port is told where it is missing, and does not become arm64.
"""

import os
import re

from tools.checks import porting
from tools.checks.tree import walk

_CPU = re.compile(
    r"\b(?:__x86_64(?:__)?|__amd64(?:__)?|__i386(?:__)?|__aarch64__|__arm(?:64)?__|__riscv\w*|__powerpc64__|__ppc64__|__PPC64__"
    r"|__s390x?__|__loongarch\w*|__mips\w*|__wasm\w*|_M_(?:X64|IX86|ARM64|ARM))\b")
_OS = re.compile(r"\b(?:__linux(?:__)?|__gnu_linux__|__ANDROID__|__APPLE__|__MACH__|_WIN(?:32|64)|__FreeBSD__|__NetBSD__|__OpenBSD__|__sun|__Fuchsia__)\b")
_DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else|endif|error)\b(.*)$")


def _directives(text):
    """(line number, directive, rest) of each conditional and #error; lines that end in a backslash go on."""
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        start = number
        line = lines[number]
        while line.endswith("\\") and number + 1 < len(lines):
            number += 1
            line = line[:-1] + lines[number]
        number += 1
        found = _DIRECTIVE.match(line)
        if found:
            yield start + 1, found.group(1), found.group(2).partition("//")[0]


def find_open_ladders(text):
    """The lines at which a chain of #if begins that asks for a CPU or an operating system and does not end with #else, #error."""
    open_lines = []
    stack = []  # [line, asks, the last branch is an #else, which is an #error]
    for line, directive, rest in _directives(text):
        if directive in ("if", "ifdef", "ifndef"):
            stack.append([line, bool(_CPU.search(rest) or _OS.search(rest)), False, False])
        elif not stack:
            continue
        elif directive == "elif":
            stack[-1][1] |= bool(_CPU.search(rest) or _OS.search(rest))
        elif directive == "else":
            stack[-1][2] = True
        elif directive == "error":
            stack[-1][3] = stack[-1][2]
        else:
            first, asks, _, refuses = stack.pop()
            if asks and not refuses:
                open_lines.append(first)
    return open_lines


def check(root):
    """An error for each place that names a CPU where no CPU is named, and for each chain that is open at its end."""
    errors = []
    _, cpus = porting.ports(root)
    of_a_cpu = re.compile(r"_(?:%s)\.\w+$" % "|".join(cpus))
    for _, path in walk(root):
        if not path.endswith((".h", ".cc", ".S")):
            continue
        with open(os.path.join(root, path), encoding="utf-8") as f:
            text = f.read()
        for line in find_open_ladders(text):
            errors.append("%s:%d: the last branch of what asks for a CPU or an operating system is #else with #error" % (path, line))
        if path.startswith("platforms/") or path.endswith("_test.cc") or of_a_cpu.search(path):
            continue
        for line, _, rest in _directives(text):
            if _CPU.search(rest):
                errors.append("%s:%d: a CPU is asked for in %s_<cpu>%s (platforms/PORTING.md)" % ((path, line) + os.path.splitext(path)))
    return errors
