"""The page and the pictures say what the records say."""

import unittest
import xml.etree.ElementTree

from bench.comparing import report


def row(workload, figure, procs, **values):
    return {"workload": workload, "procs": procs, "figure": figure, "unit": "ns", "values": values, "failed": []}


def record(*rows):
    return {
        "date": "2020-01-02", "command": "bench/compare --rounds 3", "rounds": 3, "n": 0,
        "machine": {"cpu": "A <CPU>", "cpus": 4, "kernel": "Linux 6", "load_before": [0.1, 0, 0], "load_after": [1, 0, 0]},
        "programs": {"gort": "abc", "go": "go1.19", "tokio": "1.24", "boostfiber": "1.74"}, "rows": list(rows),
    }


SPAWN_1 = row("spawn", "ns_per_op", 1, gort=[50, 40, 60], go=[100, 100, 100], tokio=[25, 25, 25], boostfiber=[30, 30, 30])
SPAWN_4 = row("spawn", "ns_per_op", 4, gort=[90, 90, 90], go=[100, 100, 100], tokio=[80, 80, 80], boostfiber=[20, 20, 20])
SELECT = row("select", "ns_per_op", 1, gort=[50], go=[100])
HTTP = row("http c=64", "requests", 4, gort=[200], go=[100], tokio=[400])
STARTUP = row("startup", "wall_ms", 0, gort=[3], go=[2])


def line(text, label):
    """The cells of the first row of a table with this label."""
    return next([c.strip() for c in l.strip("|").split("|")] for l in text.splitlines() if l.startswith("| %s " % label))


class ReportTest(unittest.TestCase):

    def test_the_table_has_gort_and_the_best_peer_for_each_number_of_ps(self):
        text = report.pages([record(SPAWN_4, SPAWN_1, SELECT)])["performance.md"]
        self.assertEqual(line(text, "spawn and end"),
                         ["spawn and end", "0.50 · 0.90", "0.40–0.60 · 0.90–0.90", "0.25 · 0.20", "tokio · boostfiber"])
        self.assertEqual(line(text, "select over 4"), ["select over 4", "0.50", "0.50–0.50", "–", "–"])

    def test_of_a_rate_the_ratio_is_turned_round(self):
        text = report.pages([record(HTTP)])["performance.md"]
        self.assertEqual(line(text, "HTTP, 64 connections, per request")[1:], ["0.50", "0.50–0.50", "0.25", "tokio"])

    def test_the_page_says_where_how_and_with_what(self):
        text = report.pages([record(SPAWN_1), dict(record(HTTP), command="bench/compare_http")])["performance.md"]
        for part in ("A <CPU> with 4 CPUs, Linux 6", "2020-01-02, 3 rounds: `bench/compare --rounds 3`", "`bench/compare_http`", "- go: go1.19",
                     "load before 0.1 0 0"):
            self.assertIn(part, text)

    def test_every_figure_is_in_the_details(self):
        text = report.pages([record(row("preempt", "samples", 1, gort=[7], go=[3]))])["performance.md"]
        self.assertEqual(line(text, "preempt")[:5], ["preempt", "1", "samples", "7 ns", "3 ns"])

    def test_there_is_a_picture_for_each_number_of_ps(self):
        pages = report.pages([record(SPAWN_1, SPAWN_4, SELECT, STARTUP)])
        self.assertEqual(sorted(pages), ["img/performance_1.svg", "img/performance_4.svg", "performance.md"])
        for name in ("img/performance_1.svg", "img/performance_4.svg"):
            self.assertIn("(%s)" % name, pages["performance.md"])
            root = xml.etree.ElementTree.fromstring(pages[name])
            texts = ["".join(t.itertext()) for t in root.iter("{http://www.w3.org/2000/svg}text")]
            self.assertIn("spawn and end", texts)
            self.assertIn("start to end of an empty program", texts)
            self.assertEqual("select over 4" in texts, name == "img/performance_1.svg")
            self.assertIn("prefers-color-scheme:dark", pages[name])

    def test_what_lies_beyond_the_scale_is_drawn_at_its_edge(self):
        far = row("spawn", "ns_per_op", 1, gort=[1e9], go=[1], tokio=[1e-9])
        root = xml.etree.ElementTree.fromstring(report.pages([record(far)])["img/performance_1.svg"])
        width = float(root.get("width"))
        for circle in root.iter("{http://www.w3.org/2000/svg}circle"):
            self.assertLess(float(circle.get("cx")), width)


if __name__ == "__main__":
    unittest.main()
