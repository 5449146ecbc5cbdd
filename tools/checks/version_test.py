"""The check of versions finds one that was left behind."""

import unittest

from tools.checks import version
from tools.checks.testing import run

TREE = {
    "base/version.h": """\
#define GORT_VERSION_MAJOR 1
#define GORT_VERSION_MINOR 2
#define GORT_VERSION_PATCH 3
#define GORT_VERSION_STRING "1.2.3"
""",
    "CHANGELOG.md": "# Changelog\n\n## 1.2.3\n\n- New.\n\n## 1.2.2\n",
    "MODULE.bazel": 'module(\n    name = "gort",\n    version = "1.2.3",\n)\n',
}


class VersionTest(unittest.TestCase):

    def errors(self, path=None, old=None, new=None):
        tree = dict(TREE)
        if path:
            self.assertIn(old, tree[path])
            tree[path] = tree[path].replace(old, new)
        return run(version.check, tree)

    def test_good_tree(self):
        self.assertEqual(self.errors(), [])

    def test_text_and_numbers(self):
        self.assertEqual(self.errors("base/version.h", '"1.2.3"', '"1.2.4"'), ["base/version.h: the version is 1.2.3, not 1.2.4"])

    def test_no_entry_for_the_newest(self):
        self.assertEqual(self.errors("CHANGELOG.md", "## 1.2.3\n", ""), ["CHANGELOG.md: the version is 1.2.3, not 1.2.2"])

    def test_module(self):
        self.assertEqual(self.errors("MODULE.bazel", '"1.2.3"', '"1.2"'), ["MODULE.bazel: the version is 1.2.3, not 1.2"])

    def test_no_version(self):
        self.assertEqual(self.errors("MODULE.bazel", 'version = "1.2.3"', ""), ["MODULE.bazel: the version is 1.2.3, not None"])


if __name__ == "__main__":
    unittest.main()
