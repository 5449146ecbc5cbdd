"""The list of what CMake builds follows the BUILD files: ports, flags, what all targets share and what one has for itself."""

import os
import tempfile
import unittest

from tools.checks import cmake
from tools.checks.blocks import read
from tools.checks.testing import fill

TREE = {
    "docs/public.txt": "//:all: gort/all.h\n//base:words: gort/base/words.h\n//rt0:main:\n//malloc:override:\n",
    "platforms/defs.bzl": 'GORT_COPTS = [\n    "-std=c++20",\n    "-Wall",\n    "-fwrapv",\n]\n',
    "platforms/BUILD.bazel": 'gort_ports(oses = {"linux": "x"}, cpus = {"amd64": "x", "arm64": "y"})\n',
    "gort.bazelrc": "build --cxxopt=-std=c++20\nbuild --copt=-fguard\nbuild:tsan --copt=-fsanitize=thread\n",
    "BUILD.bazel": 'alias(name = "all", actual = "//base:all")\n',
    "base/BUILD.bazel": """\
DEPS = [":words", "@com_google_absl//absl/types:span", "@com_google_absl//absl/status"]
gort_cc_library(name = "all", srcs = ["all.cc"], hdrs = ["all.h"], include_prefix = "gort", visibility = ["//visibility:public"],
    deps = [":flag"] + DEPS)
gort_cc_library(name = "words", srcs = ["inner.h"], hdrs = ["words.h"], arch_hdrs = ["cpu.h"], arch_srcs = ["jump", "cpu.cc"], os_srcs = ["mem.cc"],
    os_arch_srcs = ["entry"], visibility = ["//visibility:public"], deps = ["@com_google_absl//absl/base:core_headers"])
label_flag(name = "flag", build_setting_default = ":chosen")
alias(name = "chosen", actual = select({"//platforms:is_linux": ":backend"}, no_match_error = "no backend"))
gort_cc_library(name = "backend", srcs = ["backend.cc"])
gort_cc_library(name = "unused", srcs = ["unused.cc"])
gort_cc_test(name = "all_test", srcs = ["all_test.cc"], deps = [":all"])
""",
    "base/all.h": '#include "gort/base/cpu.h"\n',
    "base/cpu_amd64.h": "",
    "base/cpu_arm64.h": '#include "gort/base/inner.h"\n',
    "base/inner.h": "",
    "base/words.h": "",
    "rt0/BUILD.bazel": """\
gort_cc_library(name = "main", srcs = ["rt0.cc"], deps = [":entry", "//base:words", "//platforms:entry_point"],
    visibility = ["//visibility:public"], alwayslink = True)
gort_cc_library(name = "entry", srcs = ["entry.S"], hdrs = ["entry.h"], alwayslink = True)
""",
    "malloc/BUILD.bazel": 'gort_cc_library(name = "override", srcs = ["override.cc"], visibility = ["//visibility:public"], alwayslink = True)\n',
}


class CMakeTest(unittest.TestCase):

    def lists(self, path=None, old=None, new=None):
        """name -> items of the lists in the file, for the tree with one change."""
        tree = dict(TREE)
        if path:
            self.assertIn(old, tree[path])
            tree[path] = tree[path].replace(old, new)
        with tempfile.TemporaryDirectory() as root:
            fill(root, tree)
            blocks = cmake.text(root).split("set(")[1:]
        return {words[0]: words[1:] for words in (b.partition(")")[0].split() for b in blocks)}

    def test_what_needs_no_library_of_abseils(self):
        lists = self.lists()
        self.assertEqual(set(lists["GORT_CORE_SOURCES"]), {
            "base/backend.cc", "base/cpu_${GORT_CPU}.cc", "base/entry_${GORT_OS}_${GORT_CPU}.S", "base/jump_${GORT_CPU}.S", "base/${GORT_OS}/mem.cc"})
        self.assertEqual(lists["GORT_SOURCES"], ["base/all.cc"])
        self.assertEqual((lists["GORT_CORE_ABSL"], lists["GORT_ABSL"]), (["core_headers"], ["span", "status"]))

    def test_a_library_of_abseils_for_a_dependency(self):
        lists = self.lists("base/BUILD.bazel", "absl/base:core_headers", "absl/time")
        self.assertIn("base/cpu_${GORT_CPU}.cc", lists["GORT_SOURCES"])
        self.assertEqual(lists["GORT_TARGETS"], ["all", "base_words"])

    def test_what_is_linked_unasked(self):
        lists = self.lists()
        self.assertEqual(lists["GORT_OWN_TARGETS"], ["rt0_main", "malloc_override"])
        self.assertEqual(lists["GORT_SOURCES_rt0_main"], ["rt0/entry.S", "rt0/rt0.cc"])
        self.assertEqual(lists["GORT_SOURCES_malloc_override"], ["malloc/override.cc"])
        self.assertEqual(lists["GORT_PRELOAD_SOURCES"], ["malloc/override.cc"])

    def test_headers(self):
        lists = self.lists()
        self.assertEqual(lists["GORT_HEADERS"], [
            "gort/all.h=base/all.h", "gort/base/cpu.h=base/cpu_${GORT_CPU}.h", "gort/base/inner.h=base/inner.h", "gort/base/words.h=base/words.h"])
        self.assertEqual(lists["GORT_INNER_HEADERS"], ["gort/rt0/entry.h=rt0/entry.h"])

    def test_names(self):
        lists = self.lists()
        self.assertEqual((lists["GORT_TARGETS"], lists["GORT_CORE_TARGETS"]), (["all"], ["base_words"]))

    def test_options(self):
        lists = self.lists()
        self.assertEqual(lists["GORT_OPTIONS"], ["-fwrapv"])
        self.assertEqual(lists["GORT_USER_OPTIONS"], ["-fguard"])

    def test_unknown_dependency(self):
        with self.assertRaises(ValueError):
            self.lists("base/BUILD.bazel", '":flag"', '":flags"')

    def test_out_of_step(self):
        with tempfile.TemporaryDirectory() as root:
            fill(root, TREE)
            self.assertTrue(cmake.check(root)[0].startswith("tools/cmake/targets.cmake is out of step"))
            os.makedirs(os.path.join(root, "tools", "cmake"))
            cmake.write(root)
            self.assertEqual(cmake.check(root), [])
            fill(root, {"malloc/BUILD.bazel": TREE["malloc/BUILD.bazel"].replace("override.cc", "new.cc")})
            self.assertIn("+   malloc/new.cc", cmake.check(root))
            self.assertIn("-   malloc/override.cc", cmake.check(root))


if __name__ == "__main__":
    unittest.main()
