"""Every port is whole, platforms/PORTING.md says what it consists of, and platforms/port_files.bzl lists it.

A port is an operating system and a CPU that platforms/BUILD.bazel names. Its files are told by their names: `switch_amd64.S`,
`rt0_linux_amd64.S`, and what stands in a folder `linux` and implements a header beside that folder. A role is such a name with the
port left open: "gmp/switch_<cpu>.S". PORTING.md has a section for each role, and in the section a table row for each name that the
files of the role define.
"""

import ast
import itertools
import os
import re

from tools.checks.tree import walk

_BUILD = "platforms/BUILD.bazel"
_DEFS = "platforms/defs.bzl"
_LIST = "platforms/port_files.bzl"
_PAGE = "platforms/PORTING.md"

_HEADER = '''"""The files that differ from port to port. Written by tools/lint --write (tools/checks/porting.py)."""

'''

_DEFINITIONS = (
    # A routine, a macro, a constant or type, and a function or method.
    re.compile(r"^(?:GORT_FUNCTION|UNWIND_FROM) (\w+)", re.MULTILINE),
    re.compile(r"^#define (GORT_\w+)", re.MULTILINE),
    re.compile(r"^ *(?:inline|static) constexpr \w+ (\w+) =", re.MULTILINE),
    re.compile(r"^struct (\w+) \{", re.MULTILINE),
    re.compile(r"^(?:  static )?(?! |(?:static_assert|return|else|extern|register|asm|if|for)\b)[\w:*&<> ]*?[ *&](\w+)\([^;]*\) (?:const )?\{", re.MULTILINE),
)
# Between these lies what a file keeps to itself.
_PRIVATE = re.compile(r"^namespace \{$.*?^\}  // namespace$", re.MULTILINE | re.DOTALL)


def _read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def ports(root):
    """(operating systems, CPUs) that platforms/BUILD.bazel names."""
    for node in ast.walk(ast.parse(_read(root, _BUILD), _BUILD)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "gort_ports":
            arguments = {k.arg: list(ast.literal_eval(k.value)) for k in node.keywords}
            return arguments["oses"], arguments["cpus"]
    raise ValueError("%s: no gort_ports()" % _BUILD)


def port_files(root):
    """role -> its files, for all files of the tree."""
    oses, cpus = ports(root)
    os_names, cpu_names = "|".join(oses), "|".join(cpus)
    suffix = re.compile(r"_(?:(%s)_)?(%s)(?=\.(?:S|h|cc|py)$)|_(%s)(?=\.(?:S|h|cc)$)" % (os_names, cpu_names, os_names))
    folder = re.compile(r"^(\w+)/(%s)/(\w+)\.cc$" % os_names)
    paths = sorted(path for _, path in walk(root))
    roles = {}
    for path in paths:
        in_folder = folder.match(path)
        if in_folder and "%s/%s.h" % in_folder.group(1, 3) in paths:
            role = "%s/<os>/%s.cc" % in_folder.group(1, 3)
        else:
            found = suffix.search(path)
            if not found:
                continue
            role = path[:found.start()] + ("_<os>" if found.group(1) or found.group(3) else "") + (
                "_<cpu>" if found.group(2) else "") + path[found.end():]
        roles.setdefault(role, []).append(path)
    return roles


def _of(role, os_name, cpu):
    return role.replace("<os>", os_name).replace("<cpu>", cpu)


def lacking(roles, os_name, cpu):
    """The files that a port would need and that no role has."""
    there = set(itertools.chain.from_iterable(roles.values()))
    return sorted(file for file in (_of(role, os_name, cpu) for role in roles) if file not in there)


def _list_text(roles):
    files = sorted(itertools.chain.from_iterable(roles.values()))
    return _HEADER + "PORT_FILES = [\n%s]\n" % "".join('    "%s",\n' % f for f in files)


def definitions(text):
    """The names that a file of a port defines for others."""
    text = _PRIVATE.sub("", text)
    names = set()
    for pattern in _DEFINITIONS:
        names.update(pattern.findall(text))
    return {n for n in names if not n.endswith("_H_")} - set(re.findall(r"^#undef (\w+)", text, re.MULTILINE))


def read_page(text):
    """role -> the names in the first column of its table, or None in place of a table that there is not."""
    sections = {}
    role = None
    for line in text.splitlines():
        heading = re.match(r"#+ `([^`]*<(?:os|cpu)>[^`]*)`", line)
        if heading:
            role = heading.group(1)
            sections[role] = set()
        elif line.startswith("#"):
            role = None
        elif role and line.startswith("| `"):
            sections[role].update(re.findall(r"`(\w+)`", line.split("|")[1]))
    return sections


def _check_page(root, roles):
    errors = []
    sections = read_page(_read(root, _PAGE))
    for role in sorted(set(roles) - set(sections)):
        errors.append("%s: no section for %s (%s)" % (_PAGE, role, ", ".join(roles[role])))
    for role in sorted(set(sections) - set(roles)):
        errors.append("%s: no such file: %s" % (_PAGE, role))
    for role in sorted(set(sections) & set(roles)):
        texts = {path: _read(root, path) for path in roles[role]}
        for name in sorted(sections[role]):
            for path, text in texts.items():
                if not re.search(r"\b%s\b" % name, text):
                    errors.append("%s: %s: %s has no %s" % (_PAGE, role, path, name))
        if "/testing/" in role or "/<os>/" in role:
            continue  # a header says what these are
        common = set.intersection(*(definitions(text) for text in texts.values()))
        for name in sorted(common - sections[role]):
            errors.append("%s: %s: no row for %s" % (_PAGE, role, name))
    return errors


def _bazel_says(root, cpu):
    """What gort_ports() fails with when platforms/BUILD.bazel names one more CPU. Its language is near enough to Python's."""

    class Failed(Exception):
        pass

    def fail(text):
        raise Failed(text)

    class Native:

        def __getattr__(self, rule):
            return lambda **kwargs: None

    world = {"native": Native(), "fail": fail, "select": lambda *args, **kwargs: []}
    for path in (_LIST, _DEFS):
        text = re.sub(r"^load\(.*?\)$", "", _read(root, path), flags=re.MULTILINE | re.DOTALL)
        exec(compile(text, path, "exec"), world)
    oses, cpus = ports(root)
    try:
        world["gort_ports"](oses={o: o for o in oses}, cpus={c: c for c in cpus + ([cpu] if cpu else [])})
    except Failed as e:
        return str(e)
    return ""


def check(root):
    """What is wrong with the ports of the workspace at root."""
    roles = port_files(root)
    errors = []
    oses, cpus = ports(root)
    for os_name, cpu in itertools.product(oses, cpus):
        errors += ["%s/%s lacks %s" % (os_name, cpu, file) for file in lacking(roles, os_name, cpu)]
    if _read(root, _LIST) != _list_text(roles):
        errors.append("%s: out of date: tools/lint --write" % _LIST)
    elif not errors:
        # The promise of PORTING.md: a CPU that is named and has no files is told all that it lacks.
        for os_name in oses:
            wanted = lacking(roles, os_name, "third")
            said = _bazel_says(root, "third")
            if said.split() != ["gort:", os_name + "/third", "lacks", "(%s):" % _PAGE] + wanted:
                errors.append("%s: a third CPU is told:%s\nand not:\n  %s" % (_DEFS, said, "\n  ".join(wanted)))
        if _bazel_says(root, None):
            errors.append("%s: the ports that there are are told: %s" % (_DEFS, _bazel_says(root, None)))
    return errors + _check_page(root, roles)


def write(root):
    """Brings platforms/port_files.bzl up to date."""
    with open(os.path.join(root, _LIST), "w", encoding="utf-8") as f:
        f.write(_list_text(port_files(root)))
