"""The check of direct dependencies finds what it is there to find."""

import unittest

from tools.checks import direct
from tools.checks.testing import run

_PORTS = 'gort_ports(cpus = {"amd64": "", "arm64": ""}, oses = {"linux": ""})\n'
_BASE = 'gort_cc_library(name = "base", hdrs = ["throw.h"])\n'
_USER = 'gort_cc_%s(name = "user", %s, deps = [%s])\n'


class DirectTest(unittest.TestCase):

    def check(self, build, files):
        return run(direct.check, {"platforms/BUILD.bazel": _PORTS, "base/BUILD.bazel": _BASE, "base/throw.h": "", "proc/BUILD.bazel": build, **files})

    def assert_finds(self, text, build, files):
        errors = self.check(build, files)
        self.assertEqual(len(errors), 1, errors)
        self.assertIn(text, errors[0])

    def test_a_header_of_no_dependency(self):
        include = {"proc/m.cc": '#include "gort/base/throw.h"\n'}
        for rule in "library", "binary", "test", "benchmark":
            self.assertEqual(self.check(_USER % (rule, 'srcs = ["m.cc"]', '"//base"'), include), [])
            self.assert_finds("proc/m.cc includes gort/base/throw.h", _USER % (rule, 'srcs = ["m.cc"]', ""), include)

    def test_a_header_of_an_indirect_dependency(self):
        build = 'gort_cc_library(name = "between", deps = ["//base"])\n' + _USER % ("library", 'srcs = ["m.cc"]', '":between"')
        self.assert_finds("//proc:user", build, {"proc/m.cc": '#include "gort/base/throw.h"\n'})

    def test_its_own_headers(self):
        build = _USER % ("library", 'srcs = ["m.cc", "inner.h"], hdrs = ["m.h"]', "")
        files = {"proc/m.cc": '#include "gort/proc/m.h"\n#include "gort/proc/inner.h"\n', "proc/m.h": "", "proc/inner.h": ""}
        self.assertEqual(self.check(build, files), [])
        # A private header is for its own target.
        other = 'gort_cc_test(name = "t", srcs = ["t.cc"], deps = [":user"])\n'
        self.assert_finds("proc/t.cc includes gort/proc/inner.h", build + other, {**files, "proc/t.cc": '#include "gort/proc/inner.h"\n'})

    def test_headers_and_files_of_a_port(self):
        build = 'gort_cc_library(name = "proc", arch_hdrs = ["arch.h"], arch_srcs = ["cpu.cc", "switch"], os_srcs = ["mem.cc"])\n'
        files = {"proc/arch_amd64.h": "", "proc/arch_arm64.h": "", "proc/cpu_amd64.cc": '#include "gort/proc/arch.h"\n',
                 "proc/cpu_arm64.cc": "", "proc/linux/mem.cc": "", "proc/mem.h": ""}
        self.assertEqual(self.check(build, files), [])
        include = '#include "gort/base/throw.h"\n'
        for path in "proc/cpu_arm64.cc", "proc/linux/mem.cc", "proc/arch_arm64.h", "proc/switch_arm64.S":
            self.assert_finds(path, build, {**files, path: include})

    def test_a_backend_by_its_alias(self):
        build = ('alias(name = "mine", actual = select({"//c:on": "//base", "//conditions:default": ":none"}))\n' +
                 _USER % ("library", 'srcs = ["m.cc"]', '":mine"'))
        self.assertEqual(self.check(build, {"proc/m.cc": '#include "gort/base/throw.h"\n'}), [])

    def test_another_prefix(self):
        build = 'gort_cc_library(name = "run", hdrs = ["run.h"], include_prefix = "gort")\n' + _USER % ("binary", 'srcs = ["m.cc"]', '":run"')
        self.assertEqual(self.check(build, {"proc/run.h": "", "proc/m.cc": '#include "gort/run.h"\n'}), [])


if __name__ == "__main__":
    unittest.main()
