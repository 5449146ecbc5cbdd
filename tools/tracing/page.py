"""One page of HTML with a trace in it, which needs nothing else."""

import base64
import html
import json
import os
import zlib

from tools.tracing.columns import MOMENTS, Columns

_HERE = os.path.dirname(os.path.abspath(__file__))
_SCRIPTS = ["data.js", "draw.js", "panels.js", "main.js"]


def _read(name):
    with open(os.path.join(_HERE, name), encoding="utf-8") as f:
        return f.read()


def _pack(columns):
    """(description of the columns, their bytes). Each begins at a multiple of eight."""
    described, parts, at = [], [], 0
    for name, values in columns.arrays():
        data = values.tobytes()
        described.append([name, values.typecode, at, len(values)])
        padding = -len(data) % 8
        parts += [data, bytes(padding)]
        at += len(data) + padding
    return described, b"".join(parts)


def make(trace, title):
    """The page's text for the bytes of a trace; raises decode.Broken."""
    columns = Columns(trace)
    described, data = _pack(columns)
    meta = {
        "program": os.path.basename(columns.program) or title,
        "summary": columns.summary(),
        "truncated": columns.truncated,
        "names": columns.name_texts,
        "tracks": columns.said_tracks,
        "moments": MOMENTS,
        "columns": described,
    }
    page = _read("page.html")
    for mark, text in (
        ("@TITLE@", html.escape(title)),
        ("@STYLE@", _read("page.css")),
        ("@SCRIPT@", "\n".join(_read(name) for name in _SCRIPTS)),
        # Within a script nothing ends it but "</".
        ("@META@", json.dumps(meta, separators=(",", ":")).replace("</", "<\\/")),
        ("@DATA@", base64.b64encode(zlib.compress(data, 1)).decode()),
    ):
        page = page.replace(mark, text, 1)
    return page


def main(args):
    import argparse
    import gc
    import sys

    from tools.tracing.decode import Broken

    parser = argparse.ArgumentParser(prog="tools/traceview", description="Makes a page of HTML from a trace of gort (GODEBUG=trace=FILE, gort::trace).")
    parser.add_argument("trace")
    parser.add_argument("-o", "--output", metavar="OUT.html", help="the page; TRACE.html unless given")
    options = parser.parse_args(args)
    output = options.output or options.trace + ".html"
    gc.disable()  # millions of numbers, and no cycle
    try:
        with open(options.trace, "rb") as f:
            page = make(f.read(), os.path.basename(options.trace))
        with open(output, "w", encoding="utf-8") as f:
            f.write(page)
    except (OSError, Broken) as error:
        print("traceview: %s" % error, file=sys.stderr)
        return 1
    print(output)
    return 0
