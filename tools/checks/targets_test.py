"""The check of README.md's table of targets finds what it lacks and what it has too much."""

import unittest

from tools.checks import targets
from tools.checks.testing import run

TREE = {
    "docs/public.txt": "//:gort: gort/gort.h\n//net: gort/net/net.h gort/net/conn.h\n//rt0:main:\ninner: base\n",
    "README.md": "| target | header |\n|---|---|\n| `@gort//:gort` | `gort/gort.h` |\n| `@gort//net` | `gort/net/net.h` |\n"
                 "| `@gort//rt0:main` | |\n",
}


class TargetsTest(unittest.TestCase):

    def assert_finds(self, error, old, new):
        self.assertIn(old, TREE["README.md"])
        self.assertEqual(run(targets.check, {**TREE, "README.md": TREE["README.md"].replace(old, new)}), ["README.md: " + error])

    def test_good_tree(self):
        self.assertEqual(run(targets.check, TREE), [])

    def test_lacks(self):
        self.assert_finds("the table of targets lacks @gort//net", "| `@gort//net` | `gort/net/net.h` |\n", "")

    def test_not_public(self):
        self.assert_finds("@gort//net:fd is no public target", "| `@gort//rt0:main` | |\n",
                          "| `@gort//rt0:main` | |\n| `@gort//net:fd` | `gort/net/fd.h` |\n")

    def test_headers(self):
        self.assert_finds("@gort//net has the headers gort/net/net.h gort/net/conn.h", "`gort/net/net.h`", "`gort/net/fd.h`")
        self.assert_finds("@gort//net has the headers gort/net/net.h gort/net/conn.h", "`gort/net/net.h`", "`gort/net/conn.h`")
        self.assert_finds("@gort//rt0:main has the headers (none)", "`@gort//rt0:main` | |", "`@gort//rt0:main` | `gort/rt0.h` |")


if __name__ == "__main__":
    unittest.main()
