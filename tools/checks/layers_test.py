"""The check of layer numbers finds a wrong one wherever it stands, and writes the right one."""

import tempfile
import unittest

from tools.checks import blocks, layers
from tools.checks.testing import fill

README = """\
# The whole
<!-- begin packages: written by tools/lint --write -->
| package | layer | what it is |
|---|---|---|
| [base](base/README.md) | 1 | words |
| [lock](lock/README.md) | 2 | locks |
| [net](net/README.md) | 3 | the network |
<!-- end packages -->
"""

GOOD = {
    "docs/deps.txt": "# package: what it may name   # layer\nbase:  # 1\nlock: base  # 2 (never net)\nnet: base lock  # 3\n",
    "README.md": README,
    "base/README.md": "# base: words\n\nLayer 1. Everything.\n",
    "lock/README.md": "# lock: locks\n",
    "net/README.md": "# net: the network\n",
    "net/conn.h": "// gort/net/conn.h: a connection.\n// Layer     3. Any thread.\n",
    "net/internal/fd.h": "// Layer     tests only.\n",
}


class LayersTest(unittest.TestCase):

    def errors(self, changed):
        """What the check says of the good tree with `changed` in it; and --write mends everything but a missing title."""
        with tempfile.TemporaryDirectory() as root:
            fill(root, {**GOOD, **changed})
            errors = layers.check(root)
            layers.write(root)
            self.left = layers.check(root)
            self.text = {path: blocks.read(root, path) for path in GOOD}
            return errors

    def assert_finds(self, text, changed):
        errors = self.errors(changed)
        self.assertTrue(any(text in e for e in errors), errors)
        self.assertEqual(self.left, [])

    def test_good_tree(self):
        self.assertEqual(self.errors({}), [])

    def test_wrong_layer_in_a_header(self):
        self.assert_finds("net/internal/fd.h: says layer 2, net is of layer 3",
                          {"net/internal/fd.h": "// Layer     2. Any thread.\n"})
        self.assertEqual(self.text["net/internal/fd.h"], "// Layer     3. Any thread.\n")

    def test_a_header_of_one_package_alone(self):
        header = {"net/internal/fd.h": "// Layer     3, used by net only.\n"}
        include = "#include \"gort/net/internal/fd.h\"\n"
        self.assertEqual(self.errors({**header, "net/conn.cc": include, "lock/lock_test.cc": include}), [])
        self.assertEqual(self.errors({**header, "lock/lock.cc": include}),
                         ["net/internal/fd.h: says that net alone uses it; lock/lock.cc includes it"])

    def test_wrong_layer_in_the_graph(self):
        self.assert_finds("docs/deps.txt:4: net is of layer 3, not 2",
                          {"docs/deps.txt": GOOD["docs/deps.txt"].replace("# 3", "# 2")})
        self.assertIn("# 2 (never net)", self.text["docs/deps.txt"])

    def test_new_edge(self):
        self.assert_finds("lock is of layer 1, not 2", {"docs/deps.txt": GOOD["docs/deps.txt"].replace("lock: base", "lock:")})
        self.assertIn("| [net](net/README.md) | 2 | the network |", self.text["README.md"])

    def test_order(self):
        text = "base:  # 1\nlock: base  # 2\nnet:  # 1\n"
        self.assertIn("docs/deps.txt: the lines do not go from the lowest layer to the highest", self.errors({"docs/deps.txt": text}))

    def test_table(self):
        self.assert_finds("README.md: the part packages is out of step", {"README.md": README.replace("| 3 |", "| 4 |")})
        self.assertEqual(self.text["README.md"], README)

    def test_no_markers(self):
        self.assertIn("README.md: has no markers of the part packages", self.errors({"README.md": "# The whole\n"}))

    def test_no_title(self):
        self.assertTrue(any(e.startswith("lock/README.md: does not begin") for e in self.errors({"lock/README.md": "# lock\n"})))


if __name__ == "__main__":
    unittest.main()
