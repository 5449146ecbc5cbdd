"""The check of #if for CPUs finds what it is there to find."""

import unittest

from tools.checks import arch_ladders
from tools.checks.testing import run

BUILD = 'gort_ports(\n    cpus = {"amd64": "x", "arm64": "y"},\n    oses = {"linux": "z"},\n)\n'
CLOSED = "#if defined(__x86_64__)\nint a;\n#elif defined(__aarch64__)\nint b;\n#else\n#error \"a new CPU\"\n#endif\n"
BARE = "#if defined(__x86_64__)\nint a;\n#else\nint b;\n#endif\n"


class ArchLaddersTest(unittest.TestCase):

    def check(self, files):
        return run(arch_ladders.check, {"platforms/BUILD.bazel": BUILD, **files})

    def assert_finds(self, *texts, files):
        errors = self.check(files)
        self.assertEqual(len(errors), len(texts), errors)
        for text, error in zip(texts, errors):
            self.assertIn(text, error)

    def test_closed_ladders_where_they_may_be(self):
        self.assertEqual(self.check({
            "platforms/cpu.h": CLOSED, "gmp/arch_amd64.h": CLOSED, "preempt/arch_linux_arm64.h": CLOSED, "gmp/switch_test.cc": CLOSED
        }), [])

    def test_cpu_above_platforms(self):
        self.assert_finds("gmp/switch.cc:1: a CPU", "gmp/switch.cc:3: a CPU", files={"gmp/switch.cc": CLOSED})
        self.assert_finds("switch_amd64x.cc:1", "switch_amd64x.cc:3", files={"gmp/switch_amd64x.cc": CLOSED})
        self.assert_finds("gmp/a.h:1: the last", "gmp/a.h:1: a CPU", files={"gmp/a.h": "#ifdef __aarch64__\n#endif\n"})
        self.assert_finds("gmp/a.h:1: the last", "gmp/a.h:1: a CPU", files={"gmp/a.h": "#if A && \\\n  !defined(__riscv)\n#endif\n"})

    def test_bare_else(self):
        for path in ("platforms/cpu.h", "gmp/arch_amd64.h", "gmp/switch_test.cc"):
            self.assert_finds("%s:1: the last branch" % path, files={path: BARE})
        self.assert_finds(":1: the last", files={"net/poll.cc": "#ifdef __linux__\n#elif defined(__APPLE__)\n#else\nint x;\n#endif\n"})

    def test_error_of_another_branch(self):
        inner = "#if defined(__x86_64__)\n#error \"no\"\n#else\n#if A\n#else\n#error \"no\"\n#endif\nint b;\n#endif\n"
        self.assert_finds("cpu.h:1: the last", files={"platforms/cpu.h": inner})

    def test_compilers_and_sanitizers(self):
        self.assertEqual(self.check({"base/a.h": "#if defined(__clang__)\n#else\n#endif\n#if GORT_ASAN  // not __x86_64__\n#else\n#endif\n"}), [])


if __name__ == "__main__":
    unittest.main()
