"""The check of documents finds what points at nothing."""

import unittest

from tools.checks import links
from tools.checks.testing import run

TREE = {
    "proc/BUILD.bazel": "gort_cc_library(name = 'go', srcs = ['park.cc'])",
    "proc/README.md": "# proc: the scheduler\n\n## What's next?\n\n`park.cc`, `runq.{h,cc}`, `runq.h/.cc`, `runq*.h`, `chan.go`\n",
    "proc/park.cc": "void GoPark(int reason) {}\n",
    "proc/runq.h": "",
    "proc/runq.cc": "",
    "proc/internal/m.h": "",
    "tools/run": "",
    "examples/BUILD.bazel": "gort_cc_binary(name = 'hello')",
}


class LinksTest(unittest.TestCase):

    def check(self, text, path="docs/page.md"):
        return run(links.check, {**TREE, path: text})

    def assert_finds(self, error, text, path="docs/page.md"):
        self.assertEqual(self.check(text, path), ["%s: %s" % (path, error)])

    def test_good(self):
        self.assertEqual(self.check("[proc](../proc/README.md#whats-next), [`GoPark`](../proc/park.cc), [`park.cc`](../proc/park.cc), "
                                    "`proc/park.cc`, `gort/proc/runq.h`, `//proc:go`, `//proc:all`, `@gort//proc:go`, `//proc/...`, "
                                    "[x](https://example.org/y)\n"), [])

    def test_fences_are_no_prose(self):
        self.assertEqual(self.check("```cpp\n[a](b) `no/such.h`\n```\n"), [])

    def test_command_in_a_span(self):
        self.assertEqual(self.check("`bazel test //proc:go`, `tools/run hello you`, `GODEBUG=x=1 bazel-bin/proc/go -n 1`\n"), [])
        self.assertEqual(self.check("a\n`bazel test //proc:gone`\n"), ["docs/page.md:2: no such target: //proc:gone"])
        self.assertEqual(self.check("`tools/run prog`\n"), ["docs/page.md:1: no such program to run: prog"])

    def test_code_without_a_fence(self):
        self.assert_finds("code without a fence: tools/run x", "Do:\n\n    tools/run x\n\nDone.\n")
        self.assertEqual(self.check("1. Do\n   this:\n   ```sh\n   tools/run hello\n   ```\n"), [])

    def test_file(self):
        self.assert_finds("no such file: gone.md", "[x](gone.md)\n")

    def test_anchor(self):
        self.assert_finds("no such heading: ../proc/README.md#what-next", "[x](../proc/README.md#what-next)\n")
        self.assertEqual(self.check("# Two words\n[x](#two-words)\n"), [])
        self.assert_finds("no such heading: #three", "# Two words\n[x](#three)\n")

    def test_contents(self):
        self.assertEqual(self.check("Contents: [a](#a-b), [c](#c).\n\n## A b\n\n## C\n"), [])
        self.assert_finds("Contents should be #a-b #c", "Contents: [a](#a-b).\n\n## A b\n\n## C\n")

    def test_word_in_file(self):
        self.assert_finds("proc/park.cc does not have GoPar", "[`GoPar`](../proc/park.cc)\n")

    def test_path(self):
        self.assert_finds("no such file: proc/gone.cc", "`proc/gone.cc`\n")
        self.assert_finds("no such file: proc/park.h", "`proc/park.{h,cc}`\n")
        self.assert_finds("no such file: tools/walk", "`tools/walk`\n")

    def test_bare_name(self):
        self.assertEqual(self.check("`m.h`\n", "proc/README.md"), [])
        self.assert_finds("no such file: p.h", "`p.h`\n", "proc/README.md")

    def test_target(self):
        self.assert_finds("no such target: //proc:come", "`//proc:come`\n")
        self.assert_finds("no such target: //pros", "`//pros`\n")

    def test_commands(self):
        self.assertEqual(self.check("```sh\nA=b tools/run hello | bazel test //proc:go && bazel-bin/proc/go '//no'  # why\n```\n"), [])
        self.assertEqual(self.check("\n```sh\ntools/walk\n```\n"), ["docs/page.md:3: no such program: tools/walk"])
        self.assertEqual(self.check("```sh\nbazel run //proc:gone -- x\n```\n"), ["docs/page.md:2: no such target: //proc:gone"])
        self.assertEqual(self.check("```sh\nX=1 bazel-bin/proc/gone\n```\n"), ["docs/page.md:2: no such target: //proc:gone"])


if __name__ == "__main__":
    unittest.main()
