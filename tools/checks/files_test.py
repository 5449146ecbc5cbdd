"""The check of the files that READMEs name finds what it is there to find."""

import unittest

from tools.checks import files
from tools.checks.testing import run

TREE = {
    "docs/deps.txt": "base:\n",
    "platforms/BUILD.bazel": 'gort_ports(\n    cpus = {"amd64": "x", "arm64": "y"},\n    oses = {"linux": "z"},\n)\n',
    "base/README.md": "# base: words\n| `bits.{h,cc}`, `list` |\n| `internal/start.cc` |\n",
    "base/bits.h": "", "base/bits.cc": "", "base/list.h": "", "base/internal/start.cc": "",
    "base/arch_amd64.h": "", "base/arch_arm64.h": "", "base/list_test.cc": "", "base/testing/world.h": "", "tests/a/b.h": "",
}


class FilesTest(unittest.TestCase):

    def test_good_tree(self):
        self.assertEqual(run(files.check, TREE), [])

    def test_header(self):
        self.assertEqual(run(files.check, {**TREE, "base/new.h": "", "base/new.cc": ""}), ["base/README.md: does not name base/new.h"])

    def test_source_alone(self):
        self.assertEqual(run(files.check, {**TREE, "base/internal/end.cc": ""}), ["base/README.md: does not name base/internal/end.cc"])

    def test_part_of_a_name(self):
        self.assertEqual(run(files.check, {**TREE, "base/bit.h": ""}), ["base/README.md: does not name base/bit.h"])

    def test_folders_and_programs(self):
        tree = {**TREE, "tests/README.md": "| `a` | x |\n", "examples/README.md": "| `hello` | x |\n", "examples/hello.cc": "", "examples/hello_test.cc": ""}
        self.assertEqual(run(files.check, tree), [])
        self.assertEqual(run(files.check, {**tree, "tests/b/BUILD.bazel": ""}), ["tests/README.md: has no row for b"])
        self.assertEqual(run(files.check, {**tree, "examples/ring.cc": ""}), ["examples/README.md: has no row for ring"])
        self.assertEqual(run(files.check, {**tree, "tests/README.md": "| `a` | x |\n| `c` | x |\n"}),
                         ["tests/README.md: has a row for c, which is not there"])

    def test_records(self):
        tree = {**TREE, "docs/adr/0001-a.md": "# 0001 A\n", "docs/adr/0002-b.md": "# 0002 B\n"}
        self.assertEqual(run(files.check, tree), [])
        self.assertEqual(run(files.check, {**tree, "docs/adr/0002-c.md": "# 0002 C\n"}), ["docs/adr/0002-c.md: should be number 0003"])
        self.assertEqual(run(files.check, {**tree, "docs/adr/0002-b.md": "# 0003 B\n"}), ["docs/adr/0002-b.md: its title has another number"])

    def test_no_readme(self):
        tree = {path: text for path, text in TREE.items() if path != "base/README.md"}
        self.assertEqual(len(run(files.check, tree)), 3)


if __name__ == "__main__":
    unittest.main()
