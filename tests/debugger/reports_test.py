"""What fatal reports show of a program with debug information: its own functions with their lines.

reports_test.py DEBUGGEE DEBUGGEE.CC
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from tests.support.program import UNDER, has_sanitizer


def lines_of(source):
    """The lines that have a name: {name: number}."""
    with open(source, encoding="utf-8") as f:
        found = [(re.search(r"// line: (.*)$", text.rstrip()), n) for n, text in enumerate(f, 1)]
    return {m.group(1): n for m, n in found if m}


class Reports(unittest.TestCase):
    debuggee = ""
    line = {}

    def run_it(self, scenario, program=None, **env):
        done = subprocess.run(UNDER + [program or self.debuggee, scenario], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              universal_newlines=True, env=dict(os.environ, **env), timeout=60, check=False)
        return done.stdout

    def functions(self, report, goroutine):
        """[(function, line of debuggee.cc or 0)] of the first goroutine whose header has this text."""
        block = next(b for b in report.split("\n\n") if goroutine in b.split("\n")[0])
        rows = block.split("\n")[1:]
        found = []
        for name, place in zip(rows[::2], rows[1::2]):
            m = re.search(r"debuggee\.cc:(\d+)", place)
            found.append((name, int(m.group(1)) if m else 0))
        return found

    def assert_frames(self, report, goroutine, want):
        """The wanted functions, each with the name of its line, are there in this order."""
        got = self.functions(report, goroutine)
        at = 0
        for name, line in want:
            while at < len(got) and got[at] != (name, self.line[line]):
                at += 1
            self.assertLess(at, len(got), "no %s at line %d (%s) in:\n%s" % (name, self.line[line], line, report))
            at += 1

    def test_a_parked_goroutine_has_the_lines_of_its_functions_inlined_ones_too(self):
        self.assert_frames(self.run_it("deadlock"), "the clerk", [
            ("shop::Ship(...)", "recv"), ("shop::Pack(...)", "pack"), ("shop::Worker(...)", "worker"),
        ])

    def test_a_lambda_is_named_after_its_function_and_line(self):
        report = self.run_it("deadlock")
        self.assert_frames(report, "the clerk", [("shop::Clerk::{lambda at debuggee.cc:%d}(...)" % self.line["lambda"], "in lambda")])

    def test_what_calls_the_programs_functions_is_left_out(self):
        report = self.run_it("deadlock")
        for word in ("__invoke", "Closure", "Function_handler", "gort::rt::", "GoPark"):
            self.assertNotIn(word, report)

    def test_the_creator_is_who_called_go_also_by_a_wait_group(self):
        report = self.run_it("deadlock")
        self.assert_frames(report, "the clerk", [("created by shop::Hire() in goroutine 1", "hire clerk")])
        self.assertRegex(report, r"created by shop::Hire\(\) in goroutine 1\n\t\S*debuggee.cc:%d" % self.line["hire worker"])

    def test_system_shows_everything(self):
        report = self.run_it("deadlock", GOTRACEBACK="system")
        for word in ("Closure", "GoPark", "__invoke"):
            self.assertIn(word, report)

    def test_all_adds_the_other_goroutines_to_a_panic(self):
        self.assertNotIn("goroutine 1 ", self.run_it("throw"))
        self.assertIn("\ngoroutine 1 [", self.run_it("throw", GOTRACEBACK="all"))

    def test_whatever_ends_the_program_names_the_goroutine_and_the_line(self):
        for scenario, function in (("throw", "Throws"), ("abort", "Aborts"), ("assert", "Asserts"), ("terminate", "Terminates"),
                                   ("fault", "Faults")):
            # Sanitizers report the access to address 8 themselves.
            if scenario == "fault" and has_sanitizer(self.debuggee):
                continue
            with self.subTest(scenario):
                report = self.run_it(scenario)
                self.assert_frames(report, 'name "the culprit"', [("shop::%s(...)" % function, scenario)])

    def test_without_debug_information_there_are_objects_and_offsets(self):
        with tempfile.TemporaryDirectory() as folder:
            stripped = os.path.join(folder, "stripped")
            strip = "aarch64-linux-gnu-strip" if "aarch64" in "".join(UNDER) else "strip"
            subprocess.run([strip, "-g", "-o", stripped, self.debuggee], check=True)
            shutil.copymode(self.debuggee, stripped)
            report = self.run_it("deadlock", stripped)
        self.assertRegex(report, r"shop::Ship\(\.\.\.\)\n\t\S*stripped\+0x")
        self.assertRegex(report, r"created by shop::Hire\(\) in goroutine 1\n\t\S*stripped\+0x")
        self.assertNotIn("debuggee.cc", report)


if __name__ == "__main__":
    Reports.debuggee = os.path.abspath(sys.argv[1])
    Reports.line = lines_of(sys.argv[2])
    unittest.main(argv=sys.argv[:1], verbosity=2)
