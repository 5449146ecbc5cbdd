"""lldb's commands for goroutines, in a running process and on a core.

lldb_test.py DEBUGGEE DEBUGGEE.CC
"""

import glob
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import unittest

from tests.debugger.reports_test import lines_of
from tests.support.program import UNDER, has_sanitizer

LLDB = "lldb-14"
SCRIPT = "traceback/debugger/gort_lldb.py"


def environment(**more):
    """With lldb's own modules, which Debian's lldb looks for in a folder that is not there."""
    modules = glob.glob("/usr/lib/llvm-14/lib/python3.*/dist-packages")
    return dict(os.environ, PYTHONPATH=":".join(modules), GOMAXPROCS="1", **more)


class Lldb(unittest.TestCase):
    debuggee = ""
    line = {}

    def lldb(self, commands, *arguments):
        words = [LLDB, "--no-lldbinit", "-b", "-o", "command script import " + os.path.abspath(SCRIPT)]
        for c in commands:
            words += ["-o", c]
        done = subprocess.run(words + list(arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              universal_newlines=True, env=environment(), timeout=120, check=False)
        return done.stdout

    def waiting(self, *commands):
        return self.lldb(["breakpoint set -n shop::EverybodyWaits", "run"] + list(commands) + ["kill"], "--", self.debuggee, "wait")

    def check(self, out):
        at = r" at debuggee.cc:%d"
        self.assertRegex(out, r'\n +\d+  \[chan receive\] "the clerk"  shop::Ship' + at % self.line["recv"] + "  created by shop::Hire")
        self.assertRegex(out, r"\n +\d+  \[sync.Mutex.Lock\]  gort::Mutex::\S+ at mutex.\S+  created by shop::Wait")
        self.assertIn("\n4 goroutines\n", out)
        frames = enumerate((("Ship", "recv"), ("Pack", "pack"), ("Worker", "worker")))
        bt = "".join(r"\n  #%d shop::%s" % (i, function) + at % self.line[line] for i, (function, line) in frames)
        self.assertEqual(len(re.findall(bt, out)), 2, out)
        self.assertNotIn("__invoke", out)

    def test_goroutines_of_a_process_are_listed_and_have_stacks(self):
        self.check(self.waiting("goroutines", "goroutine all bt"))

    def test_part_of_the_list_is_chosen_by_text(self):
        self.assertIn("\n1 goroutine\n", self.waiting("goroutines the clerk"))

    def test_what_is_not_there_is_said(self):
        self.assertIn("no goroutine 99999", self.waiting("goroutine 99999 bt"))
        self.assertIn("no process", self.lldb(["goroutines"], self.debuggee))

    def test_a_core_has_the_same_list_and_stacks(self):
        with tempfile.TemporaryDirectory() as folder:
            resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
            subprocess.run([self.debuggee, "wait"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           env=environment(GOTRACEBACK="crash", DEBUGGEE_ABORTS="1"), timeout=120, check=False)
            found = glob.glob(os.path.join(folder, "core*"))
            if not found:
                self.skipTest("the system leaves no core here (/proc/sys/kernel/core_pattern, ulimit -c)")
            self.check(self.lldb(["goroutines", "goroutine all bt"], "-c", found[0], self.debuggee))


if __name__ == "__main__":
    Lldb.debuggee = os.path.abspath(sys.argv[1])
    Lldb.line = lines_of(sys.argv[2])
    if shutil.which(LLDB) is None:
        print("SKIPPED: this test needs the packages lldb-14 and python3-lldb-14")
        sys.exit(0)
    if UNDER or has_sanitizer(Lldb.debuggee):
        print("SKIPPED: lldb runs no program under an emulator; a sanitizer moves variables, or keeps signals back")
        sys.exit(0)
    unittest.main(argv=sys.argv[:1], verbosity=2)
