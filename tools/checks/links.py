"""What documents point at is there.

- A relative link resolves, and so does its #anchor.
- Where the text of a link to a source file is one code span, the file has that word: [`GoPark`](proc/park.cc) says where GoPark is.
- A code span that is a path or a label of ours names a file or a target: `proc/park.cc`, `runq.{h,cc}`, `//proc:go`. In a package's
  README a bare file name is one of that package.
- A command in a block of ```sh, or in a code span that begins with `bazel`, `bazel-bin/` or `tools/`, names programs, targets and files
  that are there.
- Code is fenced: what is only indented would not be looked at.
- A paragraph that begins with "Contents:" leads to each heading of the second level, in order.
"""

import fnmatch
import functools
import os
import re

from tools.checks import deps
from tools.checks.blocks import read
from tools.checks.tree import walk

_FENCE = re.compile(r"^ {0,3}(```+|~~~+)([^\n`]*)\n(.*?)^ {0,3}\1 *$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_HEADING = re.compile(r"^#{1,6} +(.*?) *#*$", re.MULTILINE)
_PATH = re.compile(r"^[\w.*{},/+-]+\.(?:h|cc|S|py|sh|md|txt|bzl|bazel|pml|dot|\{[a-z,]+\})(?:/\.\w+)?$")
_COMMAND = re.compile(r"(?<!`)`((?:[A-Z]+=\S+ )*(?:bazel|bazel-bin/[^`\s]+|tools/[^`\s]+) [^`\n]+)`")
_INDENTED = re.compile(r"\n\n {4,}(?![-*0-9])[^\n]*\n")
_TOOL = re.compile(r"^tools/\w+$")
_LABEL = re.compile(r"^(?:@gort)?//[\w/.-]*(?::[\w/.+-]+)?$")
# Files by the name of their include, and files that stand in a user's tree.
_ELSEWHERE = ("gort/gort.h", "gort/runtime.h", "server.cc")
# What a block of shell commands may begin with, beside files of the tree and programs that Bazel made.
_COMMANDS = {"apt-get", "bazel", "cd", "cmake", "curl", "echo", "for", "g++", "gdb", "git", "kill", "mkdir", "nc", "openssl", "printf", "python3", "redis-benchmark", "redis-cli",
             "redis-server", "strip"}


def documents(root):
    """The *.md files of the workspace."""
    return [path for _, path in walk(root) if path.endswith(".md")]


def anchors(text):
    """The #anchors of a document, as GitHub makes them of its headings."""
    found = set()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        number = 0
        while (slug if not number else "%s-%d" % (slug, number)) in found:
            number += 1
        found.add(slug if not number else "%s-%d" % (slug, number))
    return found


def blocks(text, language):
    """(first line's number, text) of each fenced block in this language."""
    for m in _FENCE.finditer(text):
        if m.group(2).split()[:1] == [language]:
            yield text.count("\n", 0, m.start(3)) + 1, m.group(3)


def expand(pattern):
    """The names that "runq.{h,cc}" or "addr.h/.cc" stands for."""
    m = re.match(r"^(.*)\.(\w+)/\.(\w+)$", pattern)
    if m:
        return ["%s.%s" % (m.group(1), m.group(2)), "%s.%s" % (m.group(1), m.group(3))]
    m = re.match(r"^(.*?)\{([^{}]*)\}(.*)$", pattern)
    if not m:
        return [pattern]
    return [name for part in m.group(2).split(",") for name in expand(m.group(1) + part + m.group(3))]


class Tree:
    """The files and targets of a workspace."""

    def __init__(self, root):
        self.root = root
        self.files = [path for _, path in walk(root)]
        self.known = set(self.files)

    def has(self, document, name):
        """Whether `name` is a file, from the root, beside the document, or anywhere in the document's package."""
        folder = os.path.dirname(document)
        package = folder.split(os.sep)[0]
        if name in _ELSEWHERE:
            return True
        name = name[len("gort/"):] if name.startswith("gort/") else name
        tries = [name, os.path.normpath(os.path.join(folder, name))]
        if package and "/" not in name:
            tries.append(package + "/*/" + name)
            tries.append(package + "/" + name)
        for pattern in tries:
            if pattern in self.known or os.path.isdir(os.path.join(self.root, pattern)) or ("*" in pattern and any(fnmatch.fnmatch(f, pattern) for f in self.files)):
                return True
        return False

    @functools.lru_cache(maxsize=None)
    def targets(self, package):
        """The names of a package's targets, or None if there is no such package."""
        for name in ("BUILD.bazel", "BUILD"):
            path = os.path.join(package, name)
            if path in self.known:
                found, _ = deps.read_build(read(self.root, path), package, path)
                return {t.name for t in found}
        return None

    def label(self, label):
        """Whether the label names a target, a file or a pattern of targets."""
        path, name = deps.split_label(label, "")
        if label.endswith("/..."):
            folder = path[:-len("...")].rstrip("/")
            return folder == "" or os.path.isdir(os.path.join(self.root, folder))
        targets = self.targets(path)
        if targets is None:
            return False
        if name in targets or name in ("all", "") or os.path.join(path, name) in self.known:
            return True
        # Made by a list comprehension over files.
        return any(path + "/" + folder + name + ending in self.known for folder in ("", "checks/") for ending in (".cc", ".py"))


def _check_links(tree, document, text, slugs):
    for label, target in _LINK.findall(text):
        if re.match(r"^[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        full = os.path.normpath(os.path.join(os.path.dirname(document), path)) if path else document
        if not os.path.exists(os.path.join(tree.root, full)):
            yield "%s: no such file: %s" % (document, target)
        elif anchor and full.endswith(".md"):
            if anchor not in slugs(full):
                yield "%s: no such heading: %s" % (document, target)
        elif anchor:
            yield "%s: an anchor in what is no document: %s" % (document, target)
        word = re.match(r"^`([^`]+)`$", label)
        if word and full in tree.known and not full.endswith(".md"):
            name = word.group(1)
            if not full.endswith(name) and not re.search(r"(?<!\w)%s(?!\w)" % re.escape(name), read(tree.root, full)):
                yield "%s: %s does not have %s" % (document, full, name)


def _check_spans(tree, document, text):
    for span in _SPAN.findall(_LINK.sub("", text)):
        if _LABEL.match(span) and not tree.label(span):
            yield "%s: no such target: %s" % (document, span)
        elif _PATH.match(span) or _TOOL.match(span):
            for name in expand(span):
                if not tree.has(document, name):
                    yield "%s: no such file: %s" % (document, name)


def _check_contents(document, prose):
    contents = re.search(r"^Contents: (.*?)^$", prose, re.MULTILINE | re.DOTALL)
    if contents is None:
        return
    there = [target for _, target in _LINK.findall(contents.group(1))]
    wanted = ["#" + re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^## +(.*?) *$", prose, re.MULTILINE)]
    if there != wanted:
        yield "%s: Contents should be %s" % (document, " ".join(wanted))


def _commands(text):
    """The simple commands of a shell block: lists of words, without comments, assignments and redirections."""
    text = re.sub(r"\\\n", " ", text)
    for line in text.split("\n"):
        line = re.sub(r"(^|\s)#.*$", "", line)
        line = re.sub(r"'[^']*'|\"[^\"]*\"", "QUOTED", line)
        for part in re.split(r"\|\|?|&&|&|;", line):
            words = part.split()
            while words and (re.match(r"^\w+=", words[0]) or words[0] in ("do", "then")):
                words = words[1:]
            if words and words[0] != "done":
                yield words


def _check_commands(tree, document, text):
    found = list(blocks(text, "sh"))
    found += [(text.count("\n", 0, m.start()) + 1, m.group(1)) for m in _COMMAND.finditer(text)]
    for number, block in found:
        for words in _commands(block):
            program = words[0]
            if program not in _COMMANDS and not program.startswith("bazel-bin/") and program not in tree.known:
                yield "%s:%d: no such program: %s" % (document, number, program)
            if program == "tools/run" and len(words) > 1 and not words[1].isupper():  # tools/run NAME
                if not tree.label("//examples:" + words[1]) and not tree.label("//apps/" + words[1]):
                    yield "%s:%d: no such program to run: %s" % (document, number, words[1])
            for word in words:
                if program == "bazel" and _LABEL.match(word) and not word.startswith("//:") and not tree.label(word):
                    yield "%s:%d: no such target: %s" % (document, number, word)
                if word.startswith("bazel-bin/") and word.count("/") > 1:  # else: of a user's workspace, as //: above
                    label = "//%s:%s" % os.path.split(word[len("bazel-bin/"):])
                    if not tree.label(label):
                        yield "%s:%d: no such target: %s" % (document, number, label)


def check(root):
    tree = Tree(root)
    slugs = functools.lru_cache(maxsize=None)(lambda path: anchors(read(root, path)))
    errors = []
    for document in documents(root):
        text = read(root, document)
        prose = _FENCE.sub("", text)
        errors += _check_links(tree, document, prose, slugs)
        errors += _check_spans(tree, document, prose)
        errors += _check_commands(tree, document, text)
        errors += _check_contents(document, prose)
        errors += ["%s: code without a fence: %s" % (document, m.group(0).strip()) for m in _INDENTED.finditer(prose)]
    return errors
