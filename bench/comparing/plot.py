"""The ratios as a picture: SVG, readable on a light and on a dark page."""

import math
from xml.sax.saxutils import escape

# (light, dark) and the shape of a marker, in the order of the programs; gort's first.
LOOKS = (("#0b62c4", "#6cb2ff", "circle"), ("#b3541e", "#ff9d5c", "square"), ("#2c7a39", "#6fd07f", "diamond"), ("#7a3fa0", "#cf9bf0", "triangle"))

LEFT, WIDTH, ROW, TOP, RIGHT = 300, 520, 22, 64, 24


# What lies beyond is drawn at the edge.
SMALLEST, LARGEST = 1 / 16, 8


class Axis:
    """Ratios on a logarithmic scale, from a power of two to another."""

    def __init__(self, ratios):
        self.low = math.floor(math.log2(max(SMALLEST, min(ratios + [0.5]))))
        self.high = math.ceil(math.log2(min(LARGEST, max(ratios + [2]))))

    def x(self, ratio):
        inside = min(max(ratio, 2.0**self.low), 2.0**self.high)
        return LEFT + WIDTH * (math.log2(inside) - self.low) / (self.high - self.low)

    def ticks(self):
        return [2.0**k for k in range(self.low, self.high + 1)]


def style():
    """Colours, by the reader's choice of a light or a dark page."""

    def colours(dark):
        text, line = ("#e6e6e6", "#6b6b6b") if dark else ("#1c1c1c", "#b5b5b5")
        rules = ["text{fill:%s}" % text, ".grid{stroke:%s}" % line, ".one{stroke:%s}" % text]
        rules += [".p%d{fill:%s;stroke:%s}" % (i, look[dark], look[dark]) for i, look in enumerate(LOOKS)]
        return "".join(rules)

    return ("<style>text{font:13px sans-serif}.grid{stroke-width:1;opacity:.5}.one{stroke-width:1.5}.spread{stroke-width:2}%s"
            "@media(prefers-color-scheme:dark){%s}</style>" % (colours(0), colours(1)))


def marker(index, x, y):
    """What stands for program number `index`: gort's is filled, the others' are outlines."""
    attributes = 'class="p%d"%s stroke-width="1.5"' % (index, "" if index == 0 else ' fill-opacity="0.25"')
    shape = LOOKS[index][2]
    if shape == "circle":
        return '<circle %s cx="%.1f" cy="%.1f" r="5"/>' % (attributes, x, y)
    if shape == "square":
        return '<rect %s x="%.1f" y="%.1f" width="8" height="8"/>' % (attributes, x - 4, y - 4)
    corners = [(0, -6), (5, 0), (0, 6), (-5, 0)] if shape == "diamond" else [(0, -5), (5.5, 4.5), (-5.5, 4.5)]
    return '<polygon %s points="%s"/>' % (attributes, " ".join("%.1f,%.1f" % (x + dx, y + dy) for dx, dy in corners))


def words(x, y, text, anchor="start"):
    return '<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>' % (x, y, anchor, escape(text))


def legend(names):
    """One marker and name after the other."""
    parts, x = [], LEFT
    for index, name in enumerate(names):
        parts += [marker(index, x, 40), words(x + 10, 44, name)]
        x += 34 + 8 * len(name)
    return parts


def line(cls, x1, y1, x2, y2):
    return '<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>' % (cls, x1, y1, x2, y2)


def svg(title, names, rows):
    """names: the programs drawn, gort's first. rows: (label, [(ratio, smallest, largest) or None, one for each name])."""
    assert len(names) <= len(LOOKS), names
    axis = Axis([value for _, ratios in rows for of in ratios if of for value in of])
    bottom = TOP + ROW * len(rows)
    parts = [style(), words(LEFT, 18, title)] + legend(names)
    for tick in axis.ticks():
        parts.append(line("one" if tick == 1 else "grid", axis.x(tick), TOP - 6, axis.x(tick), bottom))
        parts.append(words(axis.x(tick), bottom + 16, "%g" % tick, "middle"))
    for number, (label, ratios) in enumerate(rows):
        y = TOP + ROW * number + ROW / 2
        parts.append(words(LEFT - 12, y + 4, label, "end"))
        # gort's last, so that it lies on top.
        for index, of in reversed(list(enumerate(ratios))):
            if of is None:
                continue
            if index == 0:
                parts.append(line("p0 spread", axis.x(of[1]), y, axis.x(of[2]), y))
            parts.append(marker(index, axis.x(of[0]), y))
    size = (LEFT + WIDTH + RIGHT, bottom + 28)
    return '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">\n<title>%s</title>\n%s\n</svg>\n' % (
        *size, *size, escape(title), "\n".join(parts))
