"""tools/cmake/targets.cmake says what the BUILD files say: the sources, headers and public targets of gort, for CMakeLists.txt.

Two archives hold what public targets have in common, and the linker takes what a program names: one what needs no library of Abseil's, so
that a program on it needs none, the other the rest. What a public target links whether it is named or not (`alwayslink`) would be left out
there, or be in every program: it is an archive of its own, and the linker is told to ask for it.
A file of a port stands in the list with ${GORT_OS} and ${GORT_CPU} in the place of the port.
"""

import ast
import os
import re

from tools.checks import deps, porting, public
from tools.checks.blocks import read, write_text

PATH = os.path.join("tools", "cmake", "targets.cmake")

_LIBRARY = "gort_cc_library"
# Made by gort_ports(), which CMakeLists.txt has in other words.
_OF_PORTS = "//platforms:entry_point"
# What can be loaded before a program.
_PRELOAD = "//malloc:override"
# Of Abseil: headers without a library.
_NO_LIBRARY = {"core_headers", "function_ref"}
_ABSL = re.compile(r"^@com_google_absl//(?:absl/)?(?:[\w/]*/)?([\w]+)(?::(\w+))?$")
_INCLUDE = re.compile(r'^\s*#\s*include "gort/([^"]+)"', re.MULTILINE)
_BAZELRC_OPTION = re.compile(r"^build --(?:copt|cxxopt)=(\S+)$", re.MULTILINE)

_HEAD = """\
# What CMakeLists.txt builds. Written by tools/lint --write (tools/checks/cmake.py) from the BUILD files.
"""


class Graph:
    """The libraries of the BUILD files, by canonical label."""

    def __init__(self, root):
        self.targets = public.read_targets(root)[0]

    def library(self, label):
        """The library that a label stands for, aliases and flags followed; None for what is no library of ours."""
        target = self.targets.get(label)
        if target is None or target.rule == _LIBRARY:
            return target
        for other in target.attributes.get(public.FORWARDS.get(target.rule, ""), []):
            # A select()'s other strings name settings, which no BUILD file defines by a call of its own.
            found = self.library(public.canonical(other, target.package))
            if found is not None:
                return found
        return None

    def dependencies(self, target):
        """(libraries that it names, what it names of Abseil)."""
        libraries, absl = [], []
        for label in target.attributes.get("deps", []):
            if label.startswith("@com_google_absl//"):
                absl.append(_ABSL.match(label).expand(r"\2") or _ABSL.match(label).group(1))
            elif public.canonical(label, target.package) != _OF_PORTS:
                found = self.library(public.canonical(label, target.package))
                if found is None:
                    raise ValueError("%s: %s is no library" % (target.label, label))
                libraries.append(found)
        return libraries, absl

    def closure(self, target):
        """The library and all that it needs, each once; dependencies come later."""
        order = {}

        def visit(node):
            if node.label not in order:
                order[node.label] = node
                for other in self.dependencies(node)[0]:
                    visit(other)

        visit(target)
        return list(order.values())

    def absl(self, target):
        """What the library and all that it needs name of Abseil."""
        return {name for t in self.closure(target) for name in self.dependencies(t)[1]}


def _of_port(package, name, port):
    stem, dot, ending = name.partition(".")
    return os.path.join(package, "%s_%s.%s" % (stem, port, ending if dot else "S"))


def sources(target):
    """What of a library is compiled."""
    of = target.attributes
    found = [os.path.join(target.package, s) for s in of.get("srcs", []) if not s.endswith(".h")]
    found += [_of_port(target.package, s, "${GORT_CPU}") for s in of.get("arch_srcs", [])]
    found += [_of_port(target.package, s, "${GORT_OS}_${GORT_CPU}") for s in of.get("os_arch_srcs", [])]
    return found + [os.path.join(target.package, "${GORT_OS}", s) for s in of.get("os_srcs", [])]


def headers(target):
    """include path -> file of a library's headers."""
    of = target.attributes
    prefix = (of.get("include_prefix") or ["gort/" + target.package])[0]
    own = of.get("hdrs", []) + [s for s in of.get("srcs", []) if s.endswith(".h")]
    found = {"%s/%s" % (prefix, h): os.path.join(target.package, h) for h in own if not h.startswith("//")}
    for h in of.get("arch_hdrs", []):
        found["%s/%s" % (prefix, h)] = _of_port(target.package, h, "${GORT_CPU}")
    for h in of.get("os_arch_hdrs", []):
        found["%s/%s" % (prefix, h)] = _of_port(target.package, h, "${GORT_OS}_${GORT_CPU}")
    return found


def included(root, public_headers, files):
    """The public headers and what they lead to, by include path."""
    oses, cpus = porting.ports(root)
    seen, queue = set(public_headers), list(public_headers)
    while queue:
        file = files[queue.pop()]
        for os_name in oses:
            for cpu in cpus:
                text = read(root, file.replace("${GORT_OS}", os_name).replace("${GORT_CPU}", cpu))
                for name in ("gort/" + n for n in _INCLUDE.findall(text)):
                    if name not in seen:
                        seen.add(name)
                        queue.append(name)
    return seen


def cmake_name(label):
    """//timer:sleep is timer_sleep, //net is net, //:gort is gort."""
    return re.sub(r"\W", "_", label.lstrip("/:"))


def _options(root):
    """(options for gort's own files, options for the files of its users): what platforms/defs.bzl and gort.bazelrc give beyond warnings."""
    for node in ast.parse(read(root, os.path.join("platforms", "defs.bzl"))).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "GORT_COPTS":
            own = [o for o in ast.literal_eval(node.value) if o.startswith("-f")]
    users = [o for o in _BAZELRC_OPTION.findall(read(root, "gort.bazelrc")) if not o.startswith("-std=")]
    return own, users


def _list(name, items):
    return "set(%s\n%s)\n" % (name, "".join("  %s\n" % i for i in items))


def _sources(targets):
    return sorted(s for t in targets for s in sources(t))


def text(root):
    """What the file should hold."""
    graph = Graph(root)
    listed = public.read_list(read(root, public.LIST))[0]
    faces = {label: face for label, face in ((label, graph.library(label)) for label in listed) if face is not None}
    parts = {label: graph.closure(face) for label, face in faces.items()}
    own = [label for label, face in faces.items() if "alwayslink" in face.attributes]
    shared = {t.label: t for label in faces if label not in own for t in parts[label]}
    rest = {label: t for label, t in shared.items() if graph.absl(t) - _NO_LIBRARY}
    needed = {name for t in shared.values() for name in graph.dependencies(t)[1]}
    files = {path: file for ts in parts.values() for t in ts for path, file in headers(t).items()}
    installed = included(root, {h for hs in listed.values() for h in hs}, files)
    pairs = sorted(files.items())

    out = [
        _HEAD,
        "# What needs headers of Abseil alone, and what needs its libraries.\n" +
        _list("GORT_CORE_SOURCES", _sources(t for label, t in shared.items() if label not in rest)),
        _list("GORT_SOURCES", _sources(rest.values())),
        _list("GORT_CORE_ABSL", sorted(needed & _NO_LIBRARY)),
        _list("GORT_ABSL", sorted(needed - _NO_LIBRARY)),
        "# docs/public.txt, by what each is in: the first archive, the second, one of its own.\n" +
        _list("GORT_CORE_TARGETS", [cmake_name(label) for label, face in faces.items() if label not in own and face.label not in rest]),
        _list("GORT_TARGETS", [cmake_name(label) for label, face in faces.items() if face.label in rest]),
        _list("GORT_OWN_TARGETS", [cmake_name(label) for label in own]),
    ]
    out += [_list("GORT_SOURCES_" + cmake_name(label), _sources(t for t in parts[label] if t.label not in shared)) for label in own]
    out += [
        "# The allocator in place of the C library's, for a shared object of its own.\n" + _list("GORT_PRELOAD_SOURCES", _sources(parts[_PRELOAD])),
        "# Headers for users and what they include: the path by which each is included, and its file.\n" +
        _list("GORT_HEADERS", ["%s=%s" % p for p in pairs if p[0] in installed]),
        "# Those of gort's own sources alone.\n" + _list("GORT_INNER_HEADERS", ["%s=%s" % p for p in pairs if p[0] not in installed]),
    ]
    return "\n".join(out + [_list(name, options) for name, options in zip(("GORT_OPTIONS", "GORT_USER_OPTIONS"), _options(root))])


def check(root):
    """Whether the file is what would be written."""
    try:
        have = read(root, PATH).splitlines()
    except FileNotFoundError:
        have = []
    want = text(root).splitlines()
    if have == want:
        return []
    errors = ["%s is out of step with the BUILD files; run tools/lint --write" % PATH]
    errors += ["+ " + line for line in want if line not in have]
    return errors + ["- " + line for line in have if line not in want]


def write(root):
    write_text(root, PATH, text(root))
