"""The check of programs finds what it is there to find."""

import unittest

from tools.checks import programs
from tools.checks.testing import run

GOOD = {
    "docs/public.txt": "//chan: gort/chan/chan.h\n",
    "chan/chan.cc": "#include \"gort/gmp/g.h\"\nnamespace gort {}\n",
    "apps/a/a.h": "#include \"gort/apps/common/flags.h\"\nnamespace a {}\n",
    "apps/a/a_test.cc": "#include \"gort/tests/support/child.h\"\n",
    "examples/e.cc": "#include <vector>\n#include \"gort/chan/chan.h\"\nusing gort::Chan;  // not namespace gort\n",
}


class ProgramsTest(unittest.TestCase):

    def assert_finds(self, text, path, line):
        errors = run(programs.check, {**GOOD, path: GOOD[path] + line})
        self.assertEqual(len(errors), 1, errors)
        self.assertIn(text, errors[0])

    def test_good(self):
        self.assertEqual(run(programs.check, GOOD), [])

    def test_inner_header(self):
        self.assert_finds("gort/proc/proc.h is not for programs", "examples/e.cc", "#include \"gort/proc/proc.h\"\n")
        self.assert_finds("gort/chan/internal/hchan.h is not", "apps/a/a.h", "#  include <gort/chan/internal/hchan.h>\n")

    def test_namespace(self):
        self.assert_finds("in namespace gort", "examples/e.cc", "namespace gort::examples {\n")
        self.assert_finds("in namespace gort", "apps/a/a_test.cc", "namespace gort {\n")


if __name__ == "__main__":
    unittest.main()
