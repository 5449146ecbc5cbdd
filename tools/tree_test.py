"""This tree passes every check of tools/checks."""

import os
import unittest

from tools.checks import __main__ as checks


class TreeTest(unittest.TestCase):

    def test_tree(self):
        # The source tree itself, behind the links that Bazel lays: a check has to see every file, also one that nobody thought
        # of adding to `data`.
        root = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
        self.assertTrue(os.path.exists(os.path.join(root, "WORKSPACE")), root)
        self.assertGreater(len(checks.modules()), 2)
        found = checks.errors(root)
        self.assertFalse(found, "\n" + "\n".join(found))


if __name__ == "__main__":
    unittest.main()
