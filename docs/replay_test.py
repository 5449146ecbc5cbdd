"""What documents show of gdb and of a shell is what gdb and the programs print, on this CPU; and the comparison notices what is not.

replay_test.py DOCUMENT...
"""

import shutil
import sys
import unittest

from docs import replay
from tests.support.program import UNDER, has_sanitizer

CPU = "arm64" if "aarch64" in "".join(UNDER) else "amd64"


class Documents(unittest.TestCase):

    def check(self, document):
        with open(document, encoding="utf-8") as f:
            text = f.read()
        self.assertTrue(any(replay.sessions(text, cpu) for cpu in replay.CPUS), document)
        sessions = replay.sessions(text, CPU)
        for session in sessions:
            # A sanitizer moves variables, and inlines otherwise.
            if session.kind == "gdb" and (has_sanitizer(session.program) or shutil.which("gdb-multiarch" if UNDER else "gdb") is None):
                continue
            with self.subTest(program=session.program, line=session.steps[0].line):
                self.assertEqual([], replay.replay(session, UNDER), document)


def add(document):
    name = "test_%s_is_what_happens" % document.rpartition("/")[2].partition(".")[0]
    setattr(Documents, name, lambda self: self.check(document))


class Comparison(unittest.TestCase):

    def assert_agrees(self, said, printed):
        self.assertTrue(replay.agrees(said, printed), (said, printed))

    def assert_differs(self, said, printed):
        self.assertFalse(replay.agrees(said, printed), (said, printed))

    def test_addresses_and_numbers_of_breakpoints_and_values_may_differ(self):
        self.assert_agrees(["Breakpoint 1, f (x=0x555555)"], ["Breakpoint 22, f (x=0x7fffffffe590)"])
        self.assert_agrees(["$1 = 7"], ["$42 = 7"])

    def test_other_numbers_and_names_may_not(self):
        self.assert_differs(["$1 = 7"], ["$1 = 8"])
        self.assert_differs(["$1 = 0x123"], ["$1 = 0x124"])
        self.assert_differs(["#0 f ()"], ["#0 ff ()"])
        self.assert_differs(["#0 f ()"], ["#0 f () at x"])

    def test_an_ellipsis_is_any_text_or_any_lines(self):
        self.assert_agrees(["a … z"], ["a b c z"])
        self.assert_agrees(["a", "…", "z"], ["a", "b", "c", "z"])
        self.assert_agrees(["a", "…"], ["a"])
        self.assert_differs(["a", "…", "z"], ["a", "b"])

    def test_what_is_missing_or_too_much_is_noticed(self):
        self.assert_differs(["a", "b"], ["a"])
        self.assert_differs(["a"], ["a", "b"])

    def test_a_block_belongs_to_the_session_before_it_and_to_its_cpu(self):
        text = "```gdb start examples/hello A=1 -- b c\n(gdb) x\n>y\n```\n```gdb arm64\n(gdb) y\nyes\n```\n```gdb\n(gdb) z\n```\n"
        amd64, = replay.sessions(text, "amd64")
        arm64, = replay.sessions(text, "arm64")
        self.assertEqual((amd64.program, amd64.environment, amd64.arguments), ("examples/hello", {"A": "1"}, ["b", "c"]))
        self.assertEqual([s.command for s in amd64.steps], ["x\ny", "z"])
        self.assertEqual([(s.command, s.said) for s in arm64.steps], [("x\ny", []), ("y", ["yes"]), ("z", [])])

    def test_an_error_is_noticed_where_nothing_is_said(self):
        self.assertIn("no such thing", replay.complaint(replay.Step("p x", 1), "error: no such thing\n"))
        self.assertEqual("", replay.complaint(replay.Step("p x", 1), "$1 = 2\n"))


if __name__ == "__main__":
    for path in sys.argv[1:]:
        add(path)
    unittest.main(argv=sys.argv[:1], verbosity=2)
