"""The check of what is public finds what it is there to find."""

import unittest

from tools.checks import public
from tools.checks.testing import run

# A workspace in which everything agrees.
GOOD = {
    "docs/deps.txt": "base:\nchan: base\nruntime: base chan\n",
    "docs/public.txt": "//:runtime: gort/runtime.h\n//base:panic: gort/base/panic.h\n//chan: gort/chan/chan.h\n\ninner: base\n",
    "BUILD.bazel": "package(default_visibility = ['//visibility:public'])\nalias(name = 'runtime', actual = '//runtime')\n",
    "base/BUILD.bazel": "gort_cc_library(name = 'panic', hdrs = ['panic.h'], visibility = ['//visibility:public'])\n"
                        "gort_cc_library(name = 'bits', hdrs = ['bits.h'], visibility = ['//:__subpackages__'])\n",
    "base/README.md": "Inner: programs do not name its targets\nor include its headers.\n",
    "base/bits.h": "",
    "base/panic.h": "",
    "chan/BUILD.bazel": "gort_cc_library(name = 'chan', hdrs = ['chan.h'], visibility = ['//visibility:public'])\n"
                        "gort_cc_library(name = 'hchan', hdrs = ['internal/hchan.h'])\n",
    "chan/chan.h": "",
    "chan/internal/hchan.h": "",
    "chan/testing/helper.h": "",
    "runtime/BUILD.bazel":
        "gort_cc_library(name = 'runtime', hdrs = ['runtime.h'], include_prefix = 'gort', visibility = ['//visibility:public'])\n",
    "runtime/runtime.h": "",
    "tests/consumer/a/BUILD.bazel": "cc_test(name = 'a', deps = ['@gort//:runtime', '@gort//base:panic', '@gort//chan'])\n",
}


class PublicTest(unittest.TestCase):

    def check(self, changed):
        return run(public.check, {**GOOD, **changed})

    def assert_finds(self, text, changed):
        errors = self.check(changed)
        self.assertEqual(len(errors), 1, errors)
        self.assertIn(text, errors[0])

    def more(self, path, text):
        return {path: GOOD[path] + text}

    def test_agreement(self):
        self.assertEqual(self.check({}), [])

    def test_header_in_the_wrong_place(self):
        self.assert_finds("chan/ring.h is for users by its place", {"chan/ring.h": ""})
        build = GOOD["chan/BUILD.bazel"].replace("['chan.h']", "['chan.h', 'internal/hchan.h']", 1)
        listed = GOOD["docs/public.txt"].replace("chan.h", "chan.h gort/chan/internal/hchan.h")
        self.assert_finds("is not in the folder of its package", {"chan/BUILD.bazel": build, "docs/public.txt": listed})

    def test_list_and_build_files(self):
        private = GOOD["chan/BUILD.bazel"].replace("//visibility:public", "//visibility:private")
        self.assert_finds("//chan is not a public target", {"chan/BUILD.bazel": private})
        self.assert_finds("//net is not a public target", self.more("docs/public.txt", "//net: gort/net/net.h\n"))
        build = GOOD["chan/BUILD.bazel"].replace("['chan.h']", "['chan.h', 'internal/hchan.h']")
        self.assert_finds("the headers of //chan are", {"chan/BUILD.bazel": build})
        self.assert_finds("has a line already", self.more("docs/public.txt", "//chan: gort/chan/chan.h\n"))
        self.assert_finds("there is no package lock", self.more("docs/public.txt", "inner: lock\n"))

    def test_inner_targets(self):
        bits = GOOD["base/BUILD.bazel"].replace("//:__subpackages__", "//visibility:public")
        self.assert_finds("//base:bits is public and not in", {"base/BUILD.bazel": bits})
        by_default = "package(default_visibility = [\"//visibility:public\"])\n" + GOOD["chan/BUILD.bazel"]
        self.assert_finds("//chan:hchan is public and not in", {"chan/BUILD.bazel": by_default})
        self.assert_finds("base/README.md does not say", {"base/README.md": "# base\n"})
        self.assert_finds("nothing of net is public, and it is not inner", self.more("docs/deps.txt", "net: base\n"))

    def test_layout(self):
        hidden = {"chan/chan.h": "#include \"gort/chan/internal/hchan.h\"\n", "gmp/g.h": ""}
        self.assertEqual(self.check(hidden), [])
        hidden["chan/internal/hchan.h"] = "#include \"gort/gmp/g.h\"\n"
        self.assert_finds("gort/chan/chan.h -> gort/chan/internal/hchan.h -> gort/gmp/g.h", hidden)

    def test_consumer(self):
        test = GOOD["tests/consumer/a/BUILD.bazel"]
        self.assert_finds("no test of //base:panic", {"tests/consumer/a/BUILD.bazel": test.replace("'@gort//base:panic', ", "")})
        library = test.replace("cc_test", "cc_library")
        self.assertEqual(len(self.check({"tests/consumer/a/BUILD.bazel": library})), 3)


if __name__ == "__main__":
    unittest.main()
