"""The check of callers finds a function that nothing calls, and not what has a caller."""

import unittest

from tools.checks import callers
from tools.checks.testing import run

TREE = {
    "docs/deps.txt": "gmp:\nproc: gmp\n",
    "docs/public.txt": "//proc: gort/proc/go.h\n",
    "gmp/g.h": "struct G {\n  // Runs it.\n  void Run() const { Step(1); }\n  static int Step(int n);\n};\nvoid Used(G* g);\n",
    "gmp/g.cc": "int G::Step(int n) { return n; }\nvoid Used(G* g) {}\n",
    "proc/go.h": "// For programs.\nvoid Go(void (*f)());\n",
    "proc/go.cc": "void Go(void (*f)()) { Used(nullptr); }\nvoid Twice() {\n  G g;\n  g.Run();\n}\n",
}


class CallersTest(unittest.TestCase):

    def check(self, **changed):
        return run(callers.check, {**TREE, **changed})

    def assert_dead(self, name, path, **changed):
        found = self.check(**changed)
        self.assertEqual(len(found), 1, found)
        self.assertIn("%s: nothing calls %s;" % (path, name), found[0])

    def test_is_content(self):
        self.assertEqual(self.check(), [])

    def test_declared_and_defined_and_no_more(self):
        self.assert_dead("Left", "gmp/g.h", **{"gmp/g.h": TREE["gmp/g.h"] + "int Left(G* g);\n",
                                                "gmp/g.cc": TREE["gmp/g.cc"] + "int Left(G* g) { return 0; }\n"})

    def test_inline(self):
        self.assert_dead("Left", "gmp/g.h", **{"gmp/g.h": TREE["gmp/g.h"] + "inline int Left(G* g) { return 0; }\n"})

    def test_a_caller_that_goes(self):
        self.assert_dead("Run", "gmp/g.h", **{"proc/go.cc": "void Go(void (*f)()) { Used(nullptr); }\n"})

    def test_a_comment_is_no_caller(self):
        self.assert_dead("Left", "gmp/g.h", **{"gmp/g.h": TREE["gmp/g.h"] + "// Left() is left.\nvoid Left();\n"})

    def test_a_test_is_no_caller(self):
        changed = {"gmp/g.h": TREE["gmp/g.h"] + "void Left();\n", "gmp/g_test.cc": "void T() {\n  Left();\n}\n"}
        self.assert_dead("Left", "gmp/g.h", **changed)
        changed["gmp/g.h"] = TREE["gmp/g.h"] + "// Says nothing. For tests.\nvoid Left();\n"
        self.assertEqual(self.check(**changed), [])

    def test_assembly_is_a_caller(self):
        self.assertEqual(self.check(**{"gmp/g.h": TREE["gmp/g.h"] + "void gort_left();\n", "gmp/g.S": "  call gort_left\n"}), [])

    def test_a_seam_has_a_user(self):
        header = TREE["gmp/g.h"] + "// Left.%s\nvoid Left();\n"
        self.assertEqual(self.check(**{"gmp/g.h": header % " Seam: the collector"}), [])
        self.assert_dead("Left", "gmp/g.h", **{"gmp/g.h": header % " Seam:"})


if __name__ == "__main__":
    unittest.main()
