"""BUILD files and docs/deps.txt agree.

BUILD files are read as Python syntax and never run: calls with a name are targets, and the strings in their dependency
attributes are labels. That sees through lists, concatenation and constants of the same file, which is all that our files use.
"""

import ast
import os

from tools.checks.tree import walk

# Top-level folders that are not shipped: they may depend on anything, and nothing shipped may depend on them.
NOT_SHIPPED = {"tests", "bench", "apps", "examples", "tools", "docs", "third_party"}

# What a package must not reach, however indirectly.
UNREACHABLE = {
    "malloc": {"gmp", "proc", "runtime"},
    "stack": {"proc", "runtime"},
}

LABEL_ATTRIBUTES = ("actual", "data", "deps", "exports", "hdrs", "implementation_deps", "srcs", "textual_hdrs")
TEST_RULES = ("gort_cc_benchmark", "gort_cc_fuzz_test", "gort_cc_test", "py_test", "sh_test")


class Target:
    """One call in a BUILD file."""

    def __init__(self, package, rule, name, attributes, testonly, line):
        self.package = package
        self.rule = rule
        self.name = name
        self.attributes = attributes
        self.testonly = testonly
        self.line = line

    @property
    def labels(self):
        """The strings of all attributes that name other targets."""
        return [s for a in LABEL_ATTRIBUTES for s in self.attributes.get(a, [])]

    @property
    def label(self):
        return "//%s:%s" % (self.package, self.name)


def read_policy(text):
    """(package -> allowed packages, errors), in the order of the file."""
    policy = {}
    errors = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        package, colon, rest = line.partition(":")
        if not colon:
            errors.append("docs/deps.txt:%d: no colon" % number)
            continue
        package = package.strip()
        if package in policy:
            errors.append("docs/deps.txt:%d: %s has a line already" % (number, package))
        for name in rest.split():
            if name not in policy:
                errors.append("docs/deps.txt:%d: %s may use only what stands above it, %s does not" % (number, package, name))
        policy[package] = set(rest.split())
    return policy, errors


def split_label(label, package):
    """(package, name) of a label of this workspace, None for one of another."""
    if label.startswith("@gort//"):
        label = label[len("@gort"):]
    if label.startswith("@"):
        return None
    if label.startswith("//"):
        path, colon, name = label[2:].partition(":")
        return path, name if colon else path.rpartition("/")[2]
    return package, label[1:] if label.startswith(":") else label


def _strings(node, constants, seen=frozenset()):
    """All strings in an expression, names of the file's constants followed."""
    found = []
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            found.append(part.value)
        elif isinstance(part, ast.Name) and part.id in constants and part.id not in seen:
            found += _strings(constants[part.id], constants, seen | {part.id})
    return found


def read_build(text, package, path):
    """(targets, errors) of one BUILD file."""
    tree = ast.parse(text, path)
    constants = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            constants[node.targets[0].id] = node.value

    targets = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        arguments = {k.arg: k.value for k in node.keywords if k.arg}
        if "name" not in arguments:
            continue
        rule = node.func.id if isinstance(node.func, ast.Name) else ast.dump(node.func)
        name = arguments["name"].value if isinstance(arguments["name"], ast.Constant) else "<line %d>" % node.lineno
        attributes = {a: _strings(v, constants) for a, v in arguments.items()}
        testonly = rule in TEST_RULES or (
            "testonly" in arguments and getattr(arguments["testonly"], "value", True) in (True, 1))
        targets.append(Target(package, rule, name, attributes, testonly, node.lineno))
    return targets, find_selects(tree, path)


def find_selects(tree, path):
    """Errors for each select() that is not the `actual` of an alias."""
    allowed = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "alias":
            for keyword in node.keywords:
                if keyword.arg == "actual":
                    allowed.update(id(part) for part in ast.walk(keyword.value))
    return [
        "%s:%d: select() belongs in platforms/defs.bzl or in an alias of a backend" % (path, node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "select" and id(node) not in allowed
    ]


def build_files(root):
    """(package, path) of every BUILD.bazel and .bzl file."""
    for package, path in walk(root):
        if os.path.basename(path) in ("BUILD", "BUILD.bazel") or path.endswith(".bzl"):
            yield package, path


def _check_edge(target, other, policy):
    """An error text if `target` may not depend on package `other`, else None."""
    top = target.package.split("/")[0]
    other_parts = other.split("/")
    if other_parts[0] == top:
        if len(other_parts) > 1 and other_parts[1] == "testing" and not target.testonly and target.package != other:
            return "is shipped and may not use a testing package"
        return None
    # A test may use test helpers, and hold generated files to their generator.
    if target.testonly and other_parts[0] in ("tests", "tools", "docs"):
        return None
    if other_parts[0] in NOT_SHIPPED:
        return "may not use what is not shipped"
    if other_parts[0] not in policy.get(top, set()):
        return "may not use %s (docs/deps.txt)" % other_parts[0]
    if len(other_parts) > 1 and other_parts[1] == "testing" and not target.testonly:
        return "is shipped and may not use a testing package"
    return None


def find_path(start, forbidden, targets):
    """Labels from `start` to the first target of a forbidden package, or None."""
    queue = [(start, (start.label,))]
    seen = {start.label}
    while queue:
        target, path = queue.pop(0)
        for label in target.labels:
            split = split_label(label, target.package)
            if split is None:
                continue
            name = "//%s:%s" % split
            if split[0].split("/")[0] in forbidden:
                return path + (name,)
            if name in targets and name not in seen:
                seen.add(name)
                queue.append((targets[name], path + (name,)))
    return None


def check(root):
    """Everything wrong with the workspace at root, as lines of text."""
    with open(os.path.join(root, "docs", "deps.txt")) as f:
        policy, errors = read_policy(f.read())

    targets = {}
    for package, path in build_files(root):
        top = package.split("/")[0]
        with open(os.path.join(root, path)) as f:
            text = f.read()
        if path.endswith(".bzl"):
            if top != "third_party" and path != "platforms/defs.bzl":
                errors += find_selects(ast.parse(text, path), path)
            continue
        if top and top not in policy and top not in NOT_SHIPPED:
            errors.append("%s: package %s has no line in docs/deps.txt" % (path, top))
        found, selects = read_build(text, package, path)
        errors += selects
        for target in found:
            targets[target.label] = target
            if top in NOT_SHIPPED:
                continue
            for label in target.labels:
                split = split_label(label, package)
                # The root package puts the shipped ones together, and only those.
                if split is None or (not top and split[0].split("/")[0] not in NOT_SHIPPED):
                    continue
                wrong = _check_edge(target, split[0], policy) if top else "may not use what is not shipped"
                if wrong:
                    errors.append("%s:%d: %s %s: %s" % (path, target.line, target.label, wrong, label))

    for target in targets.values():
        forbidden = UNREACHABLE.get(target.package.split("/")[0])
        if forbidden and not target.testonly:
            path = find_path(target, forbidden, targets)
            if path:
                errors.append("the scheduler must stay out of reach: " + " -> ".join(path))
    return errors
