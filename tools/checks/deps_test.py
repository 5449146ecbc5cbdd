"""The check of the dependency graph finds what it is there to find."""

import unittest

from tools.checks import deps
from tools.checks.testing import run

POLICY = """\
base:                # 1
malloc: base         # 2
gmp: base            # 2
proc: base gmp malloc
"""


class DepsTest(unittest.TestCase):

    def check(self, files, policy=POLICY):
        return run(deps.check, {"docs/deps.txt": policy, **files})

    def assert_finds(self, text, files, policy=POLICY):
        errors = self.check(files, policy)
        self.assertEqual(len(errors), 1, errors)
        self.assertIn(text, errors[0])

    def test_good_tree(self):
        self.assertEqual(self.check({
            "BUILD.bazel": "alias(name = 'runtime', actual = '//proc')",
            "base/BUILD.bazel": "gort_cc_library(name = 'bits', deps = ['@com_google_absl//absl/base:core_headers'])",
            "malloc/BUILD.bazel": "gort_cc_library(name = 'malloc', deps = ['//base:bits', ':x'])\n"
                                  "gort_cc_test(name = 't', deps = ['//malloc/testing:h', '//tests/testing:x'])",
            "proc/BUILD.bazel": "D = ['//gmp']\ngort_cc_library(name = 'proc', deps = D + ['//malloc'])",
            "tests/a/BUILD.bazel": "gort_cc_test(name = 't', deps = ['//proc'])",
        }), [])

    def test_policy_order(self):
        self.assert_finds("may use only what stands above", {}, "base: lock\nlock:\n")

    def test_wrong_edge(self):
        self.assert_finds("may not use proc", {"gmp/BUILD.bazel": "gort_cc_library(name = 'x', deps = ['//proc:runq'])"})

    def test_wrong_edge_in_constant_and_workspace_name(self):
        self.assert_finds("may not use proc", {"gmp/BUILD.bazel": "D = ['@gort//proc']\ngort_cc_library(name = 'x', deps = D)"})

    def test_wrong_edge_in_test(self):
        self.assert_finds("may not use proc", {"gmp/BUILD.bazel": "gort_cc_test(name = 'x', deps = ['//proc:runq'])"})

    def test_unknown_package(self):
        self.assert_finds("has no line", {"extra/BUILD.bazel": ""})

    def test_not_shipped(self):
        self.assert_finds("not shipped", {"gmp/BUILD.bazel": "gort_cc_library(name = 'x', deps = ['//tests/testing:x'])"})
        self.assert_finds("not shipped", {"BUILD.bazel": "alias(name = 'x', actual = '//tests:x')"})

    def test_generated_files(self):
        self.assertEqual(self.check({"gmp/BUILD.bazel": "py_test(name = 't', data = ['//tools:mk.py', '//docs:x.txt'])"}), [])
        self.assert_finds("not shipped", {"gmp/BUILD.bazel": "genrule(name = 'x', srcs = ['//tools:mk.py'])"})

    def test_testing_package(self):
        self.assert_finds("testing package", {"proc/BUILD.bazel": "gort_cc_library(name = 'x', deps = ['//gmp/testing:x'])"})

    def test_select(self):
        self.assert_finds("select()", {"gmp/BUILD.bazel": "gort_cc_library(name = 'x', srcs = select({}))"})
        self.assert_finds("select()", {"gmp/rules.bzl": "def f():\n    return select({})\n"})
        self.assertEqual(self.check({"gmp/BUILD.bazel": "alias(name = 'x', actual = select({':a': ':b'}))"}), [])
        self.assertEqual(self.check({"platforms/defs.bzl": "S = select({})\n"}), [])

    def test_scheduler_out_of_reach(self):
        errors = self.check({
            "malloc/BUILD.bazel": "gort_cc_library(name = 'malloc', deps = ['//base:helper'])",
            "base/BUILD.bazel": "alias(name = 'helper', actual = '//gmp:types')",
        })
        self.assertIn("the scheduler must stay out of reach: //malloc:malloc -> //base:helper -> //gmp:types", errors)


if __name__ == "__main__":
    unittest.main()
