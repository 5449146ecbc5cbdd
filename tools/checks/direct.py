"""A target names the libraries whose headers its files include: each `#include "gort/..."` is a header of the target's own or of one that
stands in its `deps`.

clang's layering check asks the same while it compiles, in a sandbox for each file; where it looked, it missed private headers.
"""

import os
import re

from tools.checks import porting, public

_INCLUDE = re.compile(r'^\s*#\s*include "(gort/[^"]+)"', re.MULTILINE)
_RULES = ("gort_cc_library", "gort_cc_binary", "gort_cc_test", "gort_cc_benchmark", "gort_cc_fuzz_test")
_HEADERS = ("hdrs", "arch_hdrs", "os_arch_hdrs")
# The models compile the product's own sources into worlds of their own, and the product sees theirs.
_MODELS = "tests/model"
# What a rule adds to `deps`.
_ADDED = {"gort_cc_fuzz_test": ["//tests/fuzz"]}


def _port_roles(target, attribute, infix, endings):
    """The names of a target's port files, with the port left open."""
    for name in target.attributes.get(attribute, []):
        stem, dot, ending = name.partition(".")
        for end in [ending] if dot else endings:
            yield "%s/%s%s.%s" % (target.package, stem, infix, end)


def _files(target, roles):
    """The files of a target that can include something."""
    own = [s for a in ("srcs", "hdrs") for s in target.attributes.get(a, []) if s.endswith((".h", ".cc", ".S")) and ":" not in s]
    found = ["%s/%s" % (target.package, s) for s in own]
    for attribute, infix in (("arch_srcs", "_<cpu>"), ("arch_hdrs", "_<cpu>"), ("os_arch_srcs", "_<os>_<cpu>"), ("os_arch_hdrs", "_<os>_<cpu>")):
        for role in _port_roles(target, attribute, infix, ("S", "cc")):
            found += roles.get(role, [])
    for name in target.attributes.get("os_srcs", []):
        found += roles.get("%s/<os>/%s" % (target.package, name), [])
    return found


def _dependencies(target, targets):
    """The targets that `deps` stands for, aliases and flags followed; of a select() all that it may be."""
    todo = [(label, target.package) for label in target.attributes.get("deps", []) + _ADDED.get(target.rule, [])]
    found = []
    while todo:
        other = targets.get(public.canonical(*todo.pop()))
        if other is None:
            continue
        found.append(other)
        todo += [(label, other.package) for label in other.attributes.get(public.FORWARDS.get(other.rule, ""), [])]
    return found


def check(root):
    targets = public.read_targets(root)[0]
    roles = porting.port_files(root)
    errors = []
    for target in targets.values():
        if target.rule not in _RULES or target.package == _MODELS:
            continue
        known = set(public.included_as(target, ("srcs",) + _HEADERS))
        for other in _dependencies(target, targets):
            known.update(public.included_as(other, _HEADERS))
        for path in _files(target, roles):
            if not os.path.exists(os.path.join(root, path)):  # made by a rule
                continue
            with open(os.path.join(root, path), encoding="utf-8") as f:
                errors += ["%s includes %s, which no target in the deps of %s has" % (path, h, target.label)
                           for h in _INCLUDE.findall(f.read()) if h not in known and not h.startswith("gort/%s/" % _MODELS)]
    return errors
