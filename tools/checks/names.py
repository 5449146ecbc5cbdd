"""docs/go_names.md, the table from Go's names to gort's, made from the `Go:` tags in comments.

A tag is the end of a comment: `// Puts gp on the queue. Go: runqput (proc.go)`, and belongs to what is declared below it (or,
at the end of a line of code, on that line); one in the comment at the head of a file belongs to the file. Several names are
separated by commas, a remark follows a semicolon: `Go: rwmutex (rwmutex.go); differs: no list of Ms`.
"""

import os
import re

TABLE = os.path.join("docs", "go_names.md")
HEAD = """# Go's names and gort's

Made from the `Go:` tags in the comments by `tools/lint --write`; `//tools:tree_test` holds it to them.

| Go | gort | file |
|---|---|---|
"""

SUFFIXES = (".h", ".cc", ".S")
# A tag in one line of a comment: first there, after a sentence, or set off by spaces; in a file's head the word may stand in the
# column of labels instead.
_TAG = re.compile(r"(?:^|[.;:)]\s+|\s{2,})Go:\s+(.*)$|(?:^|\. )Go {2,}(\S.*)$")
_COMMENT = re.compile(r"^\s*(?://|#)\s?(.*)$")
# "Invariant ", "Contract  ": the labels in a file's head, ten columns wide.
_LABEL = re.compile(r"^(?:[A-Z][a-z]{8} |[A-Z][a-z]{1,7} {2,})\S")
# Formatters that fill paragraphs put them anywhere.
_LABEL_INSIDE = re.compile(r"\s(?:Contract|Invariant|Lifetime|Model|Ordering|Ownership)\s.*")
_SCOPE = re.compile(r"^(?:template.*> )?(?:class|struct)\s+(?:[A-Z_]+(?:\([^)]*\))?\s+|alignas\(\w+\)\s+)*(\w+)[^;]*\{")
_TYPE = re.compile(r"\b(?:class|struct|enum class|enum|using)\s+(?:alignas\(\w+\)\s+|ABSL_\w+\s+)*(\w+)")
_FUNCTION = re.compile(r"(~?[A-Za-z_]\w*|operator\S+)\s*\(")
_VARIABLE = re.compile(r"(\w+)(?:\[[^\]]*\])?\s*(?:\{.*\}|=.*)?;")
_MACRO = re.compile(r"^(?:[A-Z][A-Z0-9]*_[A-Z0-9_]+|alignas|__attribute__|requires|decltype|sizeof|noexcept|static_assert)$")
# Tags that name no counterpart.
_NOTHING = ("none",)


def packages(root):
    """The shipped packages, in the order of docs/deps.txt."""
    with open(os.path.join(root, "docs", "deps.txt"), encoding="utf-8") as f:
        return [line.split(":")[0] for line in f if ":" in line and not line.startswith("#")]


def sources(root):
    for package in packages(root):
        for folder, _, names in sorted(os.walk(os.path.join(root, package))):
            for name in sorted(names):
                if name.endswith(SUFFIXES) and not name.endswith(("_test.cc", "_benchmark.cc")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def tagged(lines):
    """The tag at the end of a comment, or None."""
    for i, line in enumerate(lines):
        m = _TAG.search(line)
        if not m:
            continue
        text = m.group(1) or m.group(2)
        for more in lines[i + 1:]:
            if _LABEL.match(more) or text.endswith("."):
                break
            text += " " + more.strip()
        return re.sub(r"\. .*", "", _LABEL_INSIDE.sub("", text).strip())
    return None


def cut(tag):
    """What comes before and after the first semicolon that is not in parentheses."""
    depth = 0
    for i, c in enumerate(tag):
        depth += (c == "(") - (c == ")")
        if c == ";" and depth == 0:
            return tag[:i], tag[i + 1:]
    return tag, ""


def split_tag(tag):
    """(names, remark): "runqsteal, runqgrab (proc.go); differs: x" -> (["runqsteal", "runqgrab"], "proc.go; differs: x")."""
    tag, remark = cut(tag.rstrip("."))
    place = re.search(r"\s*\(([^()]*\.(?:go|s)[^()]*)\)$", tag)
    if place:
        tag = tag[:place.start()]
    inside = re.search(r"\s+in (\w+\.(?:go|s))$", tag)
    if inside:
        tag = tag[:inside.start()]
    where = place.group(1) if place else inside.group(1) if inside else ""
    names = [tag] if "=" in tag else [n.strip() for n in tag.split(",") if n.strip()]
    return names, "; ".join(x for x in (where, remark.strip()) if x)


def declared(lines):
    """The name that the first declaration in `lines` gives, or None."""
    text = ""
    for line in lines[:6]:
        line = re.sub(r"//.*", "", line).strip()
        if line.startswith("template") or line.startswith("#"):
            continue
        text += " " + line
        if re.search(r"[;{]", line):
            break
    text = text.strip()
    if text.startswith("GORT_FUNCTION"):
        return text.split()[1]
    type_name = _TYPE.match(text)
    if type_name:
        return type_name.group(1)
    for m in _FUNCTION.finditer(text):
        if not _MACRO.match(m.group(1)):
            return m.group(1)
    m = _VARIABLE.search(text)
    return m.group(1) if m else None


def entries(path, text):
    """(names, remark, gort name) for each tag in one file; the gort name of the head's is ""."""
    lines = text.split("\n")
    scope = ""
    i = 0
    while i < len(lines):
        m = _SCOPE.match(lines[i])
        if m:
            scope = m.group(1)
        elif lines[i].startswith("}"):
            scope = ""
        comment = _COMMENT.match(lines[i])
        if not comment or lines[i].startswith("#"):
            code, slashes, tail = lines[i].partition("// ")
            tag = tagged([tail]) if slashes else None
            if tag:
                yield (*split_tag(tag), qualified(scope, declared([code])))
            i += 1
            continue
        first, block = i, []
        while i < len(lines) and (m := _COMMENT.match(lines[i])) and not lines[i].startswith("#"):
            block.append(m.group(1))
            i += 1
        tag = tagged(block)
        if tag is None or tag.startswith(_NOTHING):
            continue
        names, remark = split_tag(tag)
        if first == 0:
            yield names, remark, ""
            continue
        indented = i < len(lines) and lines[i].startswith(" ")
        name = declared(lines[i:])
        yield names, remark, qualified(scope if indented else "", name)


def qualified(scope, name):
    if name is None:
        return None
    return "%s::%s" % (scope, name) if scope and scope != name else name


def table(root):
    """(text of the table, errors)."""
    rows, errors = [], []
    for path in sources(root):
        with open(os.path.join(root, path), encoding="utf-8") as f:
            text = f.read()
        for names, remark, name in entries(path, text):
            if name is None:
                errors.append("%s: no declaration below the tag \"Go: %s\"" % (path, ", ".join(names)))
                continue
            go = ", ".join("`%s`" % n if re.fullmatch(r"[\w.*()]+", n) else n for n in names)
            if remark:
                go += " (%s)" % remark
            rows.append("| %s | %s | %s |" % (escape(go), "`%s`" % name if name else "the file", path))
    return HEAD + "\n".join(rows) + "\n", errors


def escape(text):
    return text.replace("|", "\\|")


def check(root):
    """What the comments or the table in the tree lack."""
    want, errors = table(root)
    return errors + differences(root, want)


def write(root):
    """Writes the table."""
    want, _ = table(root)
    with open(os.path.join(root, TABLE), "w", encoding="utf-8") as f:
        f.write(want)


def differences(root, want):
    """What the table in the tree lacks or has too much."""
    try:
        with open(os.path.join(root, TABLE), encoding="utf-8") as f:
            have = f.read()
    except FileNotFoundError:
        have = ""
    if have == want:
        return []
    lacks = [line for line in want.split("\n") if line not in set(have.split("\n"))]
    extra = [line for line in have.split("\n") if line not in set(want.split("\n"))]
    out = ["%s is out of step with the comments; run tools/lint --write" % TABLE]
    return out + ["+ " + line for line in lacks] + ["- " + line for line in extra]
