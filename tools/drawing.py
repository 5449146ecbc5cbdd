"""Draws boxes and arrows as SVG, from a description in words. What the words mean: tools/checks/pictures.py."""

import html
import math
import re

_LINE = 17  # from one line of text to the next
_STYLE = ("text{font:13px sans-serif;fill:#1b1f24}.m{font:12px monospace;fill:#0b3d91}.t{font:bold 16px sans-serif}.n{fill:#57606a}"
          ".b{fill:#f6f8fa;stroke:#57606a}.f{fill:none;stroke:#8c959f;stroke-dasharray:5 4}.a{fill:none;stroke:#57606a;stroke-width:1.4}"
          ".d{stroke-dasharray:3 3}.w{fill:#fff;opacity:.88}")
_MARKER = ('<marker id="h" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse">'
           '<path d="M0 0L8 4L0 8z" fill="#57606a"/></marker>')


class Box:

    def __init__(self, x, y, w, h, lines, style="b"):
        self.x, self.y, self.w, self.h, self.lines, self.style = x, y, w, h, lines, style

    def centre(self):
        return self.x + self.w / 2, self.y + self.h / 2

    def edge(self, towards):
        """Where a line from the centre to a point leaves the box."""
        cx, cy = self.centre()
        dx, dy = towards[0] - cx, towards[1] - cy
        scale = min([abs(half / d) for half, d in ((self.w / 2 + 2, dx), (self.h / 2 + 2, dy)) if d], default=0)
        return cx + dx * scale, cy + dy * scale


def _words(line):
    """[(text, is code)] of a line with `code` in it."""
    return [(part, i % 2 == 1) for i, part in enumerate(line.split("`")) if part]


def _width(line):
    return sum(len(text) * (7.3 if code else 6.5) for text, code in _words(line))


def _text(x, y, line, anchor="middle", style=""):
    spans = "".join('<tspan class="m">%s</tspan>' % html.escape(t) if code else html.escape(t) for t, code in _words(line))
    return '<text x="%g" y="%g" text-anchor="%s"%s>%s</text>' % (x, y, anchor, ' class="%s"' % style if style else "", spans)


def _lines(x, y, lines, anchor="middle", style=""):
    """Lines of text around the height y."""
    top = y - (len(lines) - 1) * _LINE / 2 + 4.5
    return [_text(x, top + i * _LINE, line, anchor, style) for i, line in enumerate(lines)]


def box(b):
    x, y = b.centre()
    shape = '<rect class="%s" x="%g" y="%g" width="%g" height="%g" rx="6"/>' % (b.style, b.x, b.y, b.w, b.h)
    if b.style == "f":
        return [shape] + [_text(b.x + 8, b.y + 16, line, "start", "n") for line in b.lines[:1]]
    return [shape] + _lines(x, y, b.lines)


def arrow(start, end, bend, lines, dashed=False, at=0.5):
    """A curve between two boxes, `bend` pixels beside the straight line, with its text on a light ground."""
    (ax, ay), (bx, by) = start.centre(), end.centre()
    length = math.hypot(bx - ax, by - ay) or 1
    px, py = (ax + bx) / 2 - (by - ay) / length * bend * 2, (ay + by) / 2 + (bx - ax) / length * bend * 2
    (sx, sy), (ex, ey) = start.edge((px, py)), end.edge((px, py))
    out = ['<path class="a%s" d="M%.1f %.1fQ%.1f %.1f %.1f %.1f" marker-end="url(#h)"/>' % (" d" if dashed else "", sx, sy, px, py, ex, ey)]
    mx = (1 - at) ** 2 * sx + 2 * at * (1 - at) * px + at * at * ex
    my = (1 - at) ** 2 * sy + 2 * at * (1 - at) * py + at * at * ey
    if lines:
        w, h = max(_width(line) for line in lines) + 6, len(lines) * _LINE + 2
        out.append('<rect class="w" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>' % (mx - w / 2, my - h / 2, w, h))
    return out + _lines(round(mx, 1), round(my, 1), lines)


def note(x, y, lines):
    return [_text(x, y + i * _LINE, line, "start", "n") for i, line in enumerate(lines)]


def page(w, h, title, parts):
    head = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g">' % (w, h, w, h),
            "<!-- Drawn by tools/lint from the file of the same name that ends in .picture. -->",
            "<title>%s</title>" % html.escape(re.sub("`", "", title)),
            "<style>%s</style>" % _STYLE, "<defs>%s</defs>" % _MARKER, '<rect width="100%" height="100%" fill="#fff"/>',
            _text(16, 26, title, "start", "t")]
    return "\n".join(head + parts + ["</svg>"]) + "\n"
