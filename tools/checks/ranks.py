"""Every rank of lock/lock_rank.txt has a lock, every lock of the runtime has a rank or says why not, and lock/README.md lists them.

A lock of the runtime is a rt::Mutex or rt::BriefMutex: one that is declared in namespace rt, or named with rt::, or given a LockRank.
One without a rank says "not ranked:" and the reason in a comment on its line or above.
"""

import os
import re

from tools import mklockrank
from tools.checks import blocks, cpp

ORDER = os.path.join("lock", "lock_rank.txt")
HEADER = os.path.join("lock", "lock_rank.gen.h")
PICTURE = os.path.join("docs", "img", "lock_rank.dot")
README = os.path.join("lock", "README.md")

_LOCK = re.compile(
    r"^(?P<before>[ \t]*(?:(?:static|constinit|mutable|thread_local|alignas\(\w+\))\s+)*)(?P<rt>(?:gort::)?rt::)?(?:Mutex|BriefMutex)\s+"
    r"(?P<name>\w+)\s*(?:ABSL_\w+(?:\([^()]*\))?\s*)*(?P<init>[{(][^;]*)?;(?P<comment>[^\n]*)", re.MULTILINE)
_RANK = re.compile(r"\bLockRank::k(\w+)")
_REASON = re.compile(r"\bnot ranked: \w")
_OWNER = re.compile(r"\b(?:struct|class)\s+(?:ABSL_\w+(?:\([^()]*\))?\s+|alignas\([^()]*(?:\([^()]*\))?\)\s+)*((?:\w+::)*\w+)[^;{}()]*\{")


def order(root):
    with open(os.path.join(root, ORDER), encoding="utf-8") as f:
        return mklockrank.Order(f)


def _snake(camel):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", camel).lower()


def locks(root):
    """(path, line, name, rank or None, says why it has none) of every lock of the runtime, in the order of paths."""
    for path, raw in sorted(cpp.shipped(root).items()):
        if path in ("lock/mutex.h", "lock/brief_mutex.h"):
            continue  # where they are made
        text = cpp.without_comments(raw)
        lines = raw.split("\n")
        for m in _LOCK.finditer(text):
            rank = _RANK.search(m.group("init") or "")
            start = m.start("name")
            if not (m.group("rt") or rank or cpp.in_rt(text, start)):
                continue
            line = text.count("\n", 0, start)
            yield (path, line + 1, _owner(text, start) + m.group("name"), _snake(rank.group(1)) if rank else None,
                   bool(_REASON.search(cpp.comment_of(lines, line, line))))


def _owner(text, at):
    """"Sched::" for a lock declared in the body of Sched."""
    for m in reversed(list(_OWNER.finditer(text[:at]))):
        if cpp.matching(text, m.end() - 1) > at:
            return m.group(1) + "::"
    return ""


def table(root):
    """The part "locks" of lock/README.md."""
    place = {name: i for i, name in enumerate(order(root).sorted)}
    rows = sorted(((place.get(rank, len(place)), rank or "none", path, name) for path, _, name, rank, _ in locks(root)))
    lines = ["", "| rank | lock | in |", "|---|---|---|"]
    return "\n".join(lines + ["| `%s` | `%s` | `%s` |" % (rank, name, path) for _, rank, path, name in rows]) + "\n\n"


def check(root):
    """An error for each rank without a lock, each lock without a rank, and a table out of step."""
    known = order(root).names
    errors, used = [], set()
    for path, line, name, rank, reasoned in locks(root):
        used.add(rank)
        if rank is None and not reasoned:
            errors.append("%s:%d: %s has no rank: give it one, or a comment \"not ranked: ...\" that says why" % (path, line, name))
        elif rank is not None and rank not in known:
            errors.append("%s:%d: %s has rank %s, which %s does not have" % (path, line, name, rank, ORDER))
    errors += ["%s: no lock has rank %s" % (ORDER, name) for name in known if name not in used]
    return errors + blocks.check(root, README, "locks", table(root))


def write(root):
    """Writes what follows from lock_rank.txt, and the table."""
    ranks = order(root)
    for path, text in ((HEADER, mklockrank.header(ranks)), (PICTURE, mklockrank.dot(ranks))):
        with open(os.path.join(root, path), "w", encoding="utf-8") as f:
            f.write(text)
    blocks.write(root, README, "locks", table(root))
