"""The check of README.md's table of targets finds what it lacks and what it has too much."""

import unittest

from tools.checks import targets
from tools.checks.testing import run

TREE = {
    "README.md": "| target | header |\n|---|---|\n| `@gort//:gort` | x |\n| `@gort//net` | x |\n| `@gort//net:addr` | x |\n",
    "BUILD.bazel": "package(default_visibility = ['//visibility:public'])\nalias(name = 'gort', actual = '//runtime:gort')",
    "runtime/BUILD.bazel": "gort_cc_library(name = 'gort', visibility = ['//visibility:public'])",
    "net/BUILD.bazel": "gort_cc_library(name = 'net', visibility = ['//visibility:public'])\n"
                       "gort_cc_library(name = 'addr', visibility = ['//visibility:public'])\n"
                       "gort_cc_library(name = 'fd', visibility = ['//net:users'])\n"
                       "gort_cc_library(name = 'mutex')\n",
    "tools/BUILD.bazel": "gort_cc_library(name = 'x', visibility = ['//visibility:public'])",
}


class TargetsTest(unittest.TestCase):

    def test_good_tree(self):
        self.assertEqual(run(targets.check, TREE), [])

    def test_lacks(self):
        readme = TREE["README.md"].replace("| `@gort//net:addr` | x |\n", "")
        self.assertEqual(run(targets.check, {**TREE, "README.md": readme}), ["README.md: the table of targets lacks @gort//net:addr"])

    def test_not_public(self):
        readme = TREE["README.md"] + "| `@gort//net:fd` | x |\n"
        self.assertEqual(run(targets.check, {**TREE, "README.md": readme}), ["README.md: @gort//net:fd is no public target"])


if __name__ == "__main__":
    unittest.main()
