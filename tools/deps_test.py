"""The BUILD files of this tree agree with docs/deps.txt."""

import os
import unittest

from tools import deps_check


class DepsTest(unittest.TestCase):

    def test_tree(self):
        # The source tree itself, behind the links that Bazel lays: every package's BUILD file has to be seen, also one that
        # nobody thought of adding to `data`.
        root = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
        self.assertTrue(os.path.exists(os.path.join(root, "WORKSPACE")), root)
        errors = deps_check.check_tree(root)
        self.assertFalse(errors, "\n" + "\n".join(errors))


if __name__ == "__main__":
    unittest.main()
