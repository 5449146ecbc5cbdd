"""The check of ports finds what it is there to find."""

import os
import unittest

from tools.checks import porting
from tools.checks.testing import run

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD = 'gort_ports(\n    cpus = {"amd64": "x", "arm64": "y"},\n    oses = {"linux": "z"},\n)\n'
HEADER = "#define GORT_SIZE 8\nnamespace arch {\ninline int Pause() {\n  return 1;\n}\n}\n"
PAGE = "### `gmp/arch_<cpu>.h`\n\n| `Pause` | waits |\n| `GORT_SIZE` | so much |\n\n### `platforms/<os>/mem.cc`\n\n" \
       "### `rt0/rt0_<os>_<cpu>.S`\n\n| `gort_rt0` | begins |\n"
FILES = {
    "gmp/arch_amd64.h": HEADER,
    "gmp/arch_arm64.h": HEADER,
    "platforms/linux/inner.cc": "",
    "platforms/linux/mem.cc": "",
    "platforms/mem.h": "",
    "rt0/rt0_linux_amd64.S": "GORT_FUNCTION gort_rt0\n",
    "rt0/rt0_linux_arm64.S": "GORT_FUNCTION gort_rt0\n",
    "tools/run_arm64.sh": "",
}


def listed(files):
    return "PORT_FILES = [\n%s]\n" % "".join('    "%s",\n' % f for f in sorted(files))


class PortingTest(unittest.TestCase):

    def check(self, files=(), page=PAGE, build=BUILD, stale=False):
        tree = {**FILES, **dict(files)}
        tree = {path: text for path, text in tree.items() if text is not None}
        with open(os.path.join(ROOT, "platforms/defs.bzl"), encoding="utf-8") as f:
            defs = f.read()
        ports = [p for p in tree if p.split("/")[0] in ("gmp", "rt0") or p == "platforms/linux/mem.cc"]
        text = porting._HEADER + listed(FILES if stale else ports)  # pylint: disable=protected-access
        return run(porting.check, {
            **tree, "platforms/BUILD.bazel": build, "platforms/defs.bzl": defs, "platforms/port_files.bzl": text,
            "platforms/PORTING.md": page
        })

    def assert_finds(self, *texts, **kwargs):
        errors = self.check(**kwargs)
        self.assertEqual(len(errors), len(texts), errors)
        for text, error in zip(texts, errors):
            self.assertIn(text, error)

    def test_good_tree(self):
        self.assertEqual(self.check(), [])

    def test_file_that_one_port_lacks(self):
        self.assert_finds("linux/arm64 lacks gmp/arch_arm64.h", files={"gmp/arch_arm64.h": None})

    def test_third_cpu(self):
        build = BUILD.replace('"arm64": "y"', '"arm64": "y", "riscv64": "q"')
        self.assert_finds("linux/riscv64 lacks gmp/arch_riscv64.h", "linux/riscv64 lacks rt0/rt0_linux_riscv64.S", build=build)

    def test_second_system(self):
        build = BUILD.replace('"linux": "z"', '"linux": "z", "darwin": "q"')
        self.assert_finds(*["darwin/%s lacks %s" % (c, f % {"c": c}) for c in ("amd64", "arm64")
                            for f in ("platforms/darwin/mem.cc", "rt0/rt0_darwin_%(c)s.S")], build=build)

    def test_list_out_of_date(self):
        new = {"gmp/x_amd64.S": "", "gmp/x_arm64.S": ""}
        self.assert_finds("out of date", files=new, stale=True, page=PAGE + "### `gmp/x_<cpu>.S`\n")

    def test_list_that_says_less(self):
        # A rule that forgets a file is found by asking it about a CPU that there is not.
        with open(os.path.join(ROOT, "platforms/defs.bzl"), encoding="utf-8") as f:
            defs = f.read()
        broken = defs.replace("if file not in PORT_FILES]", 'if file not in PORT_FILES and "gmp" not in file]')
        self.assertNotEqual(broken, defs)
        errors = run(porting.check, {
            **FILES, "platforms/BUILD.bazel": BUILD, "platforms/defs.bzl": broken, "platforms/PORTING.md": PAGE,
            "platforms/port_files.bzl": porting._HEADER + listed(  # pylint: disable=protected-access
                f for f in FILES if f.startswith(("gmp", "rt0", "platforms/linux/mem"))),
        })
        self.assertEqual(len(errors), 1, errors)
        self.assertIn("a third CPU is told", errors[0])

    def test_page_without_a_file(self):
        self.assert_finds("no section for gmp/arch_<cpu>.h", page=PAGE[PAGE.index("### `platforms"):])

    def test_page_with_a_file_too_many(self):
        self.assert_finds("no such file: gmp/gone_<cpu>.S", page=PAGE + "### `gmp/gone_<cpu>.S`\n")

    def test_page_with_a_name_too_many(self):
        page = PAGE.replace("| `Pause`", "| `Pause` `Rest`")
        self.assert_finds("gmp/arch_amd64.h has no Rest", "gmp/arch_arm64.h has no Rest", page=page)

    def test_page_without_a_name(self):
        self.assert_finds("no row for Pause", page=PAGE.replace("`Pause`", "Pause"))
        self.assert_finds("no row for GORT_SIZE", page=PAGE.replace("`GORT_SIZE`", "GORT_SIZE"))


if __name__ == "__main__":
    unittest.main()
