"""docs/public.txt, the BUILD files, the places of headers and tests/consumer agree on what users may name and include.

And what they include does not lead to the layout of G, M, P and the scheduler's state.
"""

import os
import re

from tools.checks import deps
from tools.checks.tree import walk

LIST = os.path.join("docs", "public.txt")
CONSUMER = os.path.join("tests", "consumer")
# What the README of an inner package says.
SENTENCE = "Inner: programs do not name its targets or include its headers"
# Headers with the layout of the scheduler's nouns.
NOUNS = frozenset("gort/gmp/%s.h" % name for name in ("g", "glist", "gobuf", "m", "p", "sched", "sudog"))
_INCLUDE = re.compile(r'^#include "(gort/[^"]+)"', re.MULTILINE)
# Rules that stand for another target, and the attribute that names it.
FORWARDS = {"alias": "actual", "label_flag": "build_setting_default"}
_PUBLIC = "//visibility:public"
_PUBLIC_BY_DEFAULT = re.compile(r"default_visibility = \[[\"']//visibility:public")


def read_list(text):
    """(target -> headers, inner packages, errors) of docs/public.txt."""
    targets, inner, errors = {}, set(), []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        name, colon, rest = line.rpartition(":")
        # In "//chan: a.h" the last colon ends the name, in "//rt0:main:" too; a header has none.
        if not colon:
            errors.append("%s:%d: no colon" % (LIST, number))
        elif name == "inner":
            inner |= set(rest.split())
        elif name in targets:
            errors.append("%s:%d: %s has a line already" % (LIST, number, name))
        else:
            targets[name] = rest.split()
    return targets, inner, errors


def canonical(label, package=""):
    """//chan for //chan, //chan:chan and @gort//chan:chan."""
    split = deps.split_label(label, package)
    if split is None:
        return None
    path, name = split
    return "//" + path if path and name == path.rpartition("/")[2] else "//%s:%s" % (path, name)


def included_as(target, attributes=("hdrs",)):
    """The headers that these attributes of a target name, by the paths of their includes."""
    prefix = (target.attributes.get("include_prefix") or ["gort/" + target.package])[0]
    return ["%s/%s" % (prefix, h) for a in attributes for h in target.attributes.get(a, [])]


def read_targets(root):
    """(canonical label -> target, package -> whether what it defines is public by default) of every BUILD file."""
    targets, default = {}, {}
    for package, path in deps.build_files(root):
        if path.endswith(".bzl"):
            continue
        with open(os.path.join(root, path), encoding="utf-8") as f:
            text = f.read()
        for target in deps.read_build(text, package, path)[0]:
            targets[canonical(target.label)] = target
        default[package] = bool(_PUBLIC_BY_DEFAULT.search(text))
    return targets, default


def consumer_deps(root):
    """What the tests of the consumer workspace depend on."""
    found = set()
    for folder, _, files in os.walk(os.path.join(root, CONSUMER)):
        if "BUILD.bazel" not in files:
            continue
        path = os.path.join(folder, "BUILD.bazel")
        with open(path, encoding="utf-8") as f:
            targets = deps.read_build(f.read(), CONSUMER, path)[0]
        for target in targets:
            if target.rule in ("cc_test", "sh_test"):
                found |= {canonical(d) for d in target.labels if d.startswith("@gort//")}
    return found


def path_to_nouns(root, header):
    """The includes that lead from a header to one of NOUNS, or None."""
    queue, seen = [(header,)], {header}
    while queue:
        path = queue.pop(0)
        if path[-1] in NOUNS:
            return path
        name = path[-1][len("gort/"):]
        try:
            with open(os.path.join(root, name if "/" in name else os.path.join("runtime", name)), encoding="utf-8") as f:
                includes = _INCLUDE.findall(f.read())
        except FileNotFoundError:
            continue
        for include in includes:
            if include not in seen:
                seen.add(include)
                queue.append(path + (include,))
    return None


def check(root):
    """Where the list, the BUILD files, the folders, the READMEs and tests/consumer disagree."""
    with open(os.path.join(root, LIST), encoding="utf-8") as f:
        listed, inner, errors = read_list(f.read())
    with open(os.path.join(root, "docs", "deps.txt"), encoding="utf-8") as f:
        packages = list(deps.read_policy(f.read())[0])
    targets, default = read_targets(root)

    def is_public(target):
        own = target.attributes.get("visibility")
        return _PUBLIC in own if own is not None else default.get(target.package, False)

    # An alias of the root package stands for what it names.
    stands_for = {name: canonical(targets[name].attributes["actual"][0])
                  for name in listed if name in targets and targets[name].rule == "alias"}
    allowed = {stands_for.get(name, name) for name in listed}
    tested = consumer_deps(root)

    for name, headers in listed.items():
        target = targets.get(stands_for.get(name, name))
        if target is None or not is_public(targets[name]) or not is_public(target):
            errors.append("%s: %s is not a public target" % (LIST, name))
            continue
        if sorted(included_as(target)) != sorted(headers):
            errors.append("%s: the headers of %s are %s" % (LIST, name, " ".join(sorted(included_as(target))) or "none"))
        errors += ["%s: %s of %s is not in the folder of its package" % (LIST, h, name)
                   for h in headers if "/internal/" in h or "/testing/" in h.replace("gort/testing/", "")]
        if name not in tested and stands_for.get(name, name) not in tested:
            errors.append("%s: no test of %s" % (CONSUMER, name))

    for name, target in targets.items():
        top = target.package.split("/")[0]
        if top in packages and target.rule.startswith("gort_cc") and is_public(target) and name not in allowed:
            errors.append("%s/BUILD.bazel:%d: %s is public and not in %s" % (target.package, target.line, name, LIST))

    named = {h for headers in listed.values() for h in headers}
    for header in sorted(named):
        path = path_to_nouns(root, header)
        if path:
            errors.append("users see the layout of the scheduler: " + " -> ".join(path))
    for folder, path in walk(root):
        if path.endswith(".h") and folder in packages and folder not in inner:
            names = {"gort/" + path} | ({"gort/" + os.path.basename(path)} if folder == "runtime" else set())
            if not names & named:
                errors.append("%s is for users by its place, and not in %s; else it belongs in %s/internal" % (path, LIST, folder))

    used = {deps.split_label(name, "")[0] for name in allowed}
    for package in packages:
        if package not in used and package not in inner:
            errors.append("%s: nothing of %s is public, and it is not inner" % (LIST, package))
        if package in inner and not _says(os.path.join(root, package, "README.md")):
            errors.append("%s/README.md does not say: %s" % (package, SENTENCE))
    return errors + ["%s: there is no package %s" % (LIST, p) for p in sorted(inner) if p not in packages]


def _says(path):
    with open(path, encoding="utf-8") as f:
        return SENTENCE in " ".join(f.read().split())
