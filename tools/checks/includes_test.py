"""The check of includes finds what it is there to find."""

import unittest

from tools.checks import includes
from tools.checks.testing import run


class IncludesTest(unittest.TestCase):

    def check(self, files):
        return run(includes.check, {"platforms/BUILD.bazel": 'gort_ports(cpus = {"amd64": ""}, oses = {"linux": ""})', **files})

    def assert_finds(self, text, files):
        errors = self.check(files)
        self.assertEqual(len(errors), 1, errors)
        self.assertIn(text, errors[0])

    def test_one_root_for_includes(self):
        header = {"base/throw.h": ""}
        self.assertEqual(self.check({**header, "proc/m.cc": '#include "gort/base/throw.h"\n#include "absl/time/time.h"\n'}), [])
        self.assert_finds("this one as base/throw.h", {**header, "proc/m.cc": '#include "base/throw.h"\n'})
        self.assert_finds("this one as throw.h", {**header, "base/throw.cc": '#include "throw.h"\n'})
        self.assert_finds("this one as base/throw.h", {**header, "base/a_amd64.S": "#include <base/throw.h>\n"})
        self.assertEqual(self.check({"platforms/signal.h": "#include <signal.h>\n"}), [])
        self.assert_finds("no such header", {**header, "proc/m.cc": '#include "gort/base/trow.h"\n'})

    def test_headers_of_one_cpu(self):
        user = {"gmp/switch.cc": '#include "gort/gmp/arch.h"\n'}
        self.assertEqual(self.check({"gmp/arch_amd64.h": "", **user}), [])
        self.assertEqual(self.check({"gmp/arch_linux_amd64.h": "", **user}), [])
        self.assert_finds("no such header", {"gmp/arch_of.h": "", **user})

    def test_headers_of_one_package(self):
        header = {"proc/internal/schedule.h": ""}
        include = '#include "gort/proc/internal/schedule.h"\n'
        self.assertEqual(self.check({**header, "proc/m.cc": include, "tests/model/world.cc": include}), [])
        self.assert_finds("is for the files of proc/", {**header, "chan/chan.cc": include})


if __name__ == "__main__":
    unittest.main()
