"""tools/traceview: what a page holds is what protoc reads in the trace, and a browser shows it.

traceview_test.py SCENARIOS PERFETTO.PROTO
"""

import array
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
import zlib

from tests.support.program import UNDER
from tools.tracing import browser, decode, page

SCENARIOS = SCHEMA = None
FOLDER = tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))


def trace_of(scenario):
    """The trace of a scenario, as a file's path."""
    path = os.path.join(FOLDER, scenario + ".trace")
    if not os.path.exists(path):
        subprocess.run(UNDER + [SCENARIOS, scenario], env=dict(os.environ, GODEBUG="trace=" + path), check=True, timeout=120)
    return path


def read(path):
    with open(path, "rb") as f:
        return f.read()


def cut_in_a_packet(data, at):
    """The file up to the middle of the packet that byte `at` belongs to."""
    begin = end = 0
    while end <= at:
        begin = end
        length, shift, i = 0, 0, begin + 1  # after the field's tag
        while True:
            length |= (data[i] & 0x7F) << shift
            shift += 7
            i += 1
            if data[i - 1] < 0x80:
                break
        end = i + length
    return data[: (begin + end) // 2]


class Page:
    """What is in a page, without the code that made it."""

    def __init__(self, text):
        def within(name):
            return re.search(r'<script[^>]* id="%s">(.*?)</script>' % name, text, re.DOTALL).group(1)

        self.meta = json.loads(within("meta"))
        data = zlib.decompress(base64.b64decode(within("data")))
        self.columns = {}
        for name, code, offset, length in self.meta["columns"]:
            values = array.array(code)
            values.frombytes(data[offset : offset + length * values.itemsize])
            self.columns[name] = list(values)

    def texts(self, column):
        return [self.meta["names"][i] for i in self.columns[column]]


def events_by_protoc(path):
    """The text of each track event."""
    decoded = subprocess.run(
        ["protoc", "--decode=gort.Trace", "-I", os.path.dirname(SCHEMA), os.path.basename(SCHEMA)],
        input=read(path),
        stdout=subprocess.PIPE,
        check=True,
    ).stdout.decode()
    return re.findall(r"^  track_event \{\n(.*?)^  \}", decoded, re.DOTALL | re.MULTILINE)


class WhatThePageHolds(unittest.TestCase):
    def test_is_what_another_decoder_reads(self):
        path = trace_of("everything")
        made = Page(page.make(read(path), "everything"))
        events = events_by_protoc(path)
        count = lambda pattern: sum(1 for e in events if re.search(pattern, e, re.DOTALL))
        summary = made.meta["summary"]
        self.assertEqual(summary["events"], len(events))
        self.assertEqual(summary["begins"], count("TYPE_SLICE_BEGIN"))
        self.assertEqual(summary["ends"], count("TYPE_SLICE_END"))
        self.assertEqual(summary["instants"], count("TYPE_INSTANT"))
        self.assertEqual(summary["counters"], count("TYPE_COUNTER"))
        # The goroutine is the first annotation of a turn, and the only one of its beginning; that of a task has its name as a text.
        self.assertEqual(summary["turns"], count(r"uint_value.*TYPE_SLICE_BEGIN(?!.*name: )"))
        self.assertEqual(len(made.columns["wake_t"]), count(r"TYPE_INSTANT.*\n    flow_ids|TYPE_INSTANT.*flow_ids"))
        self.assertGreater(summary["turns"], 10)
        self.assertEqual(set(map(len, (v for k, v in made.columns.items() if k.startswith("turn_")))), {summary["turns"]})
        self.assertIn("receiver", made.texts("turn_name"))
        self.assertIn("chan send", made.texts("turn_why"))
        self.assertIn("the whole", made.meta["tracks"])
        self.assertIn("closed", made.texts("said_name"))
        for begin, end in zip(made.columns["turn_t"], made.columns["turn_e"]):
            self.assertLessEqual(0, begin)
            self.assertLessEqual(begin, end)
            self.assertLessEqual(end, summary["duration"])

    def test_needs_nothing_else(self):
        text = page.make(read(trace_of("everything")), "everything")
        for outside in ("http:", "https:", " src=", " href=", "url(", "@import", "fetch(", "XMLHttpRequest", "import("):
            self.assertNotIn(outside, text)

    def test_is_the_same_by_the_quick_way_and_by_the_slow_one(self):
        data = read(trace_of("everything"))
        quick = Page(page.make(data, "x"))
        pattern, decode._PACKET = decode._PACKET, re.compile("(?!)".encode())
        try:
            slow = Page(page.make(data, "x"))
        finally:
            decode._PACKET = pattern
        self.assertEqual(quick.columns, slow.columns)
        self.assertEqual(quick.meta, slow.meta)

    def test_shows_a_convoy(self):
        made = Page(page.make(read(trace_of("convoy")), "convoy"))
        ended = [name for name, why in zip(made.texts("turn_name"), made.texts("turn_why")) if why == "sync.Mutex.Lock"]
        self.assertGreaterEqual(ended.count("reader"), 16)


class TheTool(unittest.TestCase):
    def test_shows_what_there_is_of_a_file_that_ends_in_the_middle(self):
        data = read(trace_of("everything"))
        whole = Page(page.make(data, "x"))
        cut = Page(page.make(cut_in_a_packet(data, len(data) // 2), "x"))
        self.assertTrue(cut.meta["truncated"])
        self.assertFalse(whole.meta["truncated"])
        self.assertLess(0, cut.meta["summary"]["events"])
        self.assertLess(cut.meta["summary"]["events"], whole.meta["summary"]["events"])

    def test_refuses_what_is_no_trace(self):
        path = os.path.join(FOLDER, "none")
        with open(path, "wb") as f:
            f.write(b"This is no trace.")
        self.assertEqual(page.main([path]), 1)
        self.assertEqual(page.main([path + ".missing"]), 1)

    def test_takes_an_empty_file(self):
        self.assertEqual(Page(page.make(b"", "x")).meta["summary"]["events"], 0)


@unittest.skipUnless(browser.CHROMIUM, "chromium is not installed: nobody looks at the page")
class InABrowser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.page = os.path.join(FOLDER, "convoy.html")
        assert page.main([trace_of("convoy"), "-o", cls.page]) == 0
        cls.browser = browser.Browser()
        cls.addClassCleanup(cls.browser.__exit__)

    def setUp(self):
        self.browser.open(self.page)

    def span(self):
        return self.browser.run("page.view.to - page.view.from")

    def begin(self):
        return self.browser.run("page.view.from")

    def test_keys_zoom_and_move(self):
        whole = self.span()
        self.browser.key("w")
        self.browser.key("w")
        self.assertAlmostEqual(self.span(), whole * 0.49, delta=whole * 0.001)
        before = self.begin()
        self.browser.key("d")
        self.assertGreater(self.begin(), before)
        self.browser.key("a")
        self.assertAlmostEqual(self.begin(), before, delta=1)
        self.browser.key("s")
        self.assertGreater(self.span(), whole * 0.49)
        self.browser.key("0")
        self.assertEqual(self.span(), whole)

    def test_the_wheel_zooms_where_the_mouse_is_and_a_drag_moves(self):
        whole = self.span()
        under = self.browser.run("page.timeAt(600)")
        self.browser.mouse("mouseWheel", 600, 150, deltaX=0, deltaY=-400)
        self.assertLess(self.span(), whole / 2)
        self.assertAlmostEqual(self.browser.run("page.timeAt(600)"), under, delta=whole / 1000)
        before = self.begin()
        self.browser.drag(700, 150, 500, 150)
        self.assertGreater(self.begin(), before)

    def test_a_search_finds_by_function_and_by_number(self):
        self.browser.key("/")
        for letter in "writer":
            self.browser.key(letter)
        self.assertEqual(self.browser.run("document.getElementById('hits').textContent"), "1 goroutine")
        self.browser.key("Enter")
        selected = self.browser.run("page.trace.label(page.trace.goids[page.view.goroutine])")
        self.assertTrue(selected.startswith("slow writer"), selected)
        self.browser.key("Escape")
        self.assertEqual(self.browser.run("page.found"), None)
        self.browser.key("Escape")
        self.assertEqual(self.browser.run("page.view.goroutine"), -1)
        self.browser.run("page.find.value = '2'; page.search(); page.measureNow()")
        self.assertEqual(self.browser.run("page.shownGoroutines.map(g => page.trace.goids[g])"), [2])

    def test_the_table_names_the_lock_and_leads_to_the_wait(self):
        text = self.browser.run("document.getElementById('longest').innerText")
        self.assertIn("sync.Mutex.Lock", text)
        whole = self.span()
        self.browser.run("document.querySelector('#longest tr:nth-child(4)').click()")
        self.assertLess(self.span(), whole)
        self.assertIn("ended by", self.browser.run("document.getElementById('details').innerText"))

    def test_help_comes_and_goes(self):
        self.browser.key("?")
        self.assertFalse(self.browser.run("document.getElementById('help').hidden"))
        self.browser.key("Escape")
        self.assertTrue(self.browser.run("document.getElementById('help').hidden"))

    def test_as_many_goroutines_as_there_are_have_a_state_at_each_moment(self):
        wrong = self.browser.run(
            """(() => {
              const t = page.trace, wrong = [];
              for (let i = 1; i < 200; ++i) {
                const at = t.duration * i / 200;
                const kinds = t.goids.map((_, g) => t.stateAt(g, at).kind);
                for (const [kind, steps] of [['running', t.runs], ['could run', t.ready]]) {
                  const n = kinds.filter(k => k === kind).length;
                  if (steps.at(at) !== n) wrong.push([at, kind, n, steps.at(at)]);
                }
              }
              return wrong;
            })()"""
        )
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    SCENARIOS, SCHEMA = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
