"""bench/compare and bench/report from their command lines, with programs that are shell scripts."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import sys
import tempfile
import unittest
from unittest import mock

PROGRAM = """#!/bin/sh
case $1 in
  %s) echo "%s $1 procs=$3 ns_per_op %s ns" ;;
  startup) ;;
  *) echo lacking >&2; exit 2 ;;
esac
"""


def script(name):
    """A program of this folder, as a module."""
    loader = importlib.machinery.SourceFileLoader("script_" + name, os.path.join("bench", name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


class CompareTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.json = os.path.join(self.folder, "record.json")

    def program(self, name, workloads, value):
        path = os.path.join(self.folder, "%s_%s" % (name, workloads.partition("|")[0]))
        with open(path, "w") as f:
            f.write(PROGRAM % (workloads, name, value))
        os.chmod(path, 0o755)
        return path

    def call(self, name, *arguments):
        """What the program prints."""
        out = io.StringIO()
        with mock.patch.object(sys, "argv", ["bench/" + name, *arguments]), contextlib.redirect_stdout(out):
            script(name).main()
        return out.getvalue()

    def compare(self, *arguments):
        return self.call("compare", "--gort", self.program("gort", "spawn|mutex", 50), "--go", self.program("go", "spawn", 100), "--peer",
                         "x=" + self.program("x", "spawn", 25), "--peer", "x=" + self.program("x", "mutex", 200), "--about", "x=X 1.0",
                         "--json", self.json, "--procs", "1,2", *arguments)

    def test_all_programs_are_run_and_compared(self):
        out = self.compare("--rounds", "2", "spawn", "mutex", "startup")
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in out.splitlines() if line.startswith("|")]
        self.assertEqual(rows[0], ["workload", "procs", "figure", "gort", "go", "gort/go", "spread", "x", "gort/x", "spread"])
        self.assertEqual(rows[2], ["spawn", "1", "ns_per_op", "50 ns", "100 ns", "0.50", "0.50..0.50", "25 ns", "2.00", "2.00..2.00"])
        self.assertEqual(rows[5], ["mutex", "2", "ns_per_op", "50 ns", "-", "-", "-", "200 ns", "0.25", "0.25..0.25"])
        self.assertEqual(rows[6][:3], ["startup", "-", "wall_ms"])
        self.assertIn("x: X 1.0\n", out)

    def test_the_record_is_read_by_report(self):
        self.compare("--rounds", "3", "spawn")
        with open(self.json) as f:
            record = json.load(f)
        self.assertEqual(record["rows"][0]["values"], {"gort": [50.0] * 3, "go": [100.0] * 3, "x": [25.0] * 3})
        self.assertNotIn(self.folder, record["command"])
        docs = os.path.join(self.folder, "docs")
        self.call("report", "--docs", docs, self.json)
        with open(os.path.join(docs, "performance.md"), encoding="utf-8") as f:
            self.assertIn("0.50 · 0.50", f.read())
        self.assertEqual(sorted(os.listdir(os.path.join(docs, "img"))), ["performance_1.svg", "performance_2.svg"])

    def test_a_peer_that_is_not_there_is_an_error(self):
        gort = self.program("gort", "spawn", 1)
        for arguments in (["--peer", "x=/nonexistent"], []):
            with mock.patch.dict(os.environ, clear=False) as environment:
                environment.pop("GORT_BENCH_GO", None)
                with self.assertRaises(Exception) as raised:
                    self.call("compare", "--gort", gort, *arguments, "spawn")
                self.assertEqual(type(raised.exception).__name__, "Failed")


if __name__ == "__main__":
    unittest.main()
