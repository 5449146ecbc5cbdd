"""The pictures of docs/img say what the sources say, and are drawn from what they say: NAME.picture -> NAME.svg.

A description has a word for each line, then:

    title TEXT
    size WIDTH HEIGHT
    in FILE: WORD...             what a picture says in `code` stands in one of these files, as a word
    states FILE                  the boxes idle, runnable, … are the states of G, and the arrows between them are the legal transitions of FILE;
                                 an arrow's text * is every function of the sources that makes that move
    box NAME X Y W H: LINE | LINE...
    frame X Y W H: TEXT
    arrow NAME NAME [bend PIXELS] [at PART]: LINE | LINE...
    note X Y: LINE | LINE...

{kName FILE} is the value of a constant of FILE, {kName FILE bytes} with its unit, {kName FILE ns} as a time.
"""

import os
import re

from tools import drawing
from tools.checks import cpp
from tools.checks.blocks import read, write_text

FOLDER = os.path.join("docs", "img")
_MOVE = re.compile(r"\bCasGStatus\([^;]*?, kG(\w+), kG(\w+)\)|\b(MakeGFresh|LeaveGFresh)\(\w")
_FRESH = {"MakeGFresh": ("dead", "runnable"), "LeaveGFresh": ("runnable", "running")}
_FUNCTION = re.compile(r"^(?![ \t}#/])[^\n;(]*?\b(\w+)\(", re.MULTILINE)
_VALUE = re.compile(r"\{(k\w+) (\S+?)(?: (bytes|ns))?\}")


class Fault(Exception):
    """What is wrong with a description."""


def constant(root, name, path):
    """The value of `constexpr … NAME = …;`."""
    found = re.findall(r"\bconstexpr [\w:]+ %s = ([^;]*);" % name, read(root, path))
    if not found:
        raise Fault("%s has no constant %s" % (path, name))
    # The last one: a model's stands before the product's.
    text = re.sub(r"GORT_\w+ \? \w+ : (\w+)", r"\1", found[-1].replace("'", ""))
    text = re.sub(r"\b[a-z]\w*\{([^{}]*)\}", r"(\1)", text)
    text = re.sub(r"\bk\w+\b", lambda m: str(constant(root, m.group(0), path)), text)
    if not re.fullmatch(r"[\d\s()<>*/+-]+", text):
        raise Fault("%s: cannot compute %s = %s" % (path, name, text))
    return eval(text)  # pylint: disable=eval-used  # digits and operators alone


def _with_unit(value, unit):
    steps = {"bytes": (1024, ("B", "KiB", "MiB", "GiB")), "ns": (1000, ("ns", "us", "ms", "s"))}.get(unit)
    if steps is None:
        return str(value)
    at = 0
    while value >= steps[0] and value % steps[0] == 0 and at < 3:
        value, at = value // steps[0], at + 1
    return "%d %s" % (value, steps[1][at])


def moves(root):
    """{(state, state): the functions that make this move}, of every shipped source."""
    found = {}
    for path, raw in sorted(cpp.shipped(root).items()):
        if path == "gmp/transitions.h":
            continue  # where the moves are defined
        text = cpp.without_comments(raw)
        for m in _MOVE.finditer(text):
            pair = _FRESH[m.group(3)] if m.group(3) else (m.group(1).lower(), m.group(2).lower())
            function = [f.group(1) for f in _FUNCTION.finditer(text, 0, m.start())][-1]
            found.setdefault(pair, set()).add(function)
    return found


def legal(root, path):
    """The pairs of states that the table kLegal allows."""
    text = cpp.without_comments(read(root, path))
    number = {int(n): name.lower() for name, n in re.findall(r"\bkG(\w+) = (\d+)\b", text)}
    rows = re.search(r"\bkLegal\[\d+\] = \{(.*?)\};", text, re.DOTALL).group(1).split(",")
    return {(number[i], to.lower()) for i, row in enumerate(rows) for to in re.findall(r"bit\(kG(\w+)\)", row)}


class Picture:
    """A description, read."""

    def __init__(self, root, text):
        self.root = root
        self.known = set()
        self.states = None
        self.boxes = {}
        self.arrows = []
        self.parts = []
        self.title, self.size = "", (0, 0)
        for line in text.split("\n"):
            if line.strip() and not line.startswith("#"):
                self._statement(*line.split(None, 1))
        self._finish()

    def _statement(self, word, rest):
        if word not in ("title", "size", "in", "states", "box", "frame", "arrow", "note"):
            raise Fault("no such word: %s" % word)
        getattr(self, "_" + word)(rest)

    def _title(self, rest):
        self.title = rest

    def _size(self, rest):
        self.size = tuple(int(n) for n in rest.split())

    def _in(self, rest):
        path, _, words = rest.partition(": ")
        if not os.path.exists(os.path.join(self.root, path)):
            raise Fault("no such file: %s" % path)
        text = cpp.without_comments(read(self.root, path))
        for word in words.split():
            if not re.search(r"\b%s\b" % re.escape(word), text):
                raise Fault("%s says nothing of %s" % (path, word))
            self.known.add(word)

    def _states(self, rest):
        self.states, self.moves = legal(self.root, rest), moves(self.root)

    def _texts(self, text):
        """Lines, with the values of constants; and what is code is known."""
        lines = [_VALUE.sub(self._value, line.strip()) for line in text.split(" | ")] if text.strip() else []
        for line in lines:
            for word in re.findall(r"`([^`]*)`", line):
                for part in re.findall(r"[A-Za-z_]\w*", word):
                    if part not in self.known:
                        raise Fault("`%s`: no file is named for %s" % (word, part))
        return lines

    def _value(self, m):
        return _with_unit(constant(self.root, m.group(1), m.group(2)), m.group(3))

    def _numbers(self, words):
        return [float(n) for n in words]

    def _box(self, rest):
        head, _, text = rest.partition(":")
        name, *numbers = head.split()
        self.boxes[name] = drawing.Box(*self._numbers(numbers), self._texts(text))

    def _frame(self, rest):
        head, _, text = rest.partition(":")
        self.parts += drawing.box(drawing.Box(*self._numbers(head.split()), self._texts(text), "f"))

    def _note(self, rest):
        head, _, text = rest.partition(":")
        self.parts += drawing.note(*self._numbers(head.split()), self._texts(text))

    def _arrow(self, rest):
        head, _, text = rest.partition(":")
        start, end, *options = head.split()
        values = dict(zip(options[::2], self._numbers(options[1::2])))
        if text.strip() == "*":
            lines = ["`%s`" % f for f in sorted(self.moves.get((start, end), ()))] or ["(no function yet)"]
        else:
            lines = self._texts(text)
        self.arrows.append((start, end, values.get("bend", 0), lines, values.get("at", 0.5)))

    def _finish(self):
        drawn = {(start, end) for start, end, *_ in self.arrows}
        for start, end in drawn:
            for name in (start, end):
                if name not in self.boxes:
                    raise Fault("no box %s" % name)
        if self.states is not None and drawn != self.states:
            raise Fault("the arrows are not the legal transitions: %s" % sorted(drawn ^ self.states))
        if self.states is not None and not set(self.moves) <= drawn:
            raise Fault("moves that are not legal: %s" % sorted(set(self.moves) - drawn))

    def svg(self):
        parts = list(self.parts)
        for start, end, bend, lines, at in self.arrows:
            parts += drawing.arrow(self.boxes[start], self.boxes[end], bend, lines, lines[:1] == ["(no function yet)"], at)
        for b in self.boxes.values():
            parts += drawing.box(b)
        return drawing.page(*self.size, self.title, parts)


def _descriptions(root):
    folder = os.path.join(root, FOLDER)
    return sorted(os.path.join(FOLDER, n) for n in os.listdir(folder) if n.endswith(".picture")) if os.path.isdir(folder) else []


def _drawn(root, path):
    return Picture(root, read(root, path)).svg()


def check(root):
    """An error for each picture that says what the sources do not, or is not drawn as described."""
    errors = []
    for path in _descriptions(root):
        svg = path[:-len(".picture")] + ".svg"
        try:
            drawn = _drawn(root, path)
            if not os.path.exists(os.path.join(root, svg)) or read(root, svg) != drawn:
                errors.append("%s is not what %s says: tools/lint --write" % (svg, path))
        except Fault as e:
            errors.append("%s: %s" % (path, e))
    return errors


def write(root):
    """Draws every picture whose description is right; check says what is wrong with the others."""
    for path in _descriptions(root):
        try:
            write_text(root, path[:-len(".picture")] + ".svg", _drawn(root, path))
        except Fault:
            pass
