"""gdb's commands for goroutines, in a running process and on a core.

gdb_test.py DEBUGGEE DEBUGGEE.CC
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


class Gdb(unittest.TestCase):
    debuggee = ""
    line = {}

    def gdb(self, commands, *arguments, **env):
        """What gdb prints; the program's script is loaded as a user's would be."""
        words = ["gdb", "-nx", "-batch", "-iex", "add-auto-load-safe-path " + os.path.dirname(os.path.realpath(self.debuggee)),
                 "-iex", "set pagination off", "-iex", "set debuginfod enabled off"]
        for c in commands:
            words += ["-ex", c]
        done = subprocess.run(words + [self.debuggee] + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              universal_newlines=True, env=dict(os.environ, GOMAXPROCS="1", **env), timeout=120, check=False)
        return done.stdout

    def waiting(self, *commands):
        return self.gdb(["break shop::EverybodyWaits", "run wait"] + list(commands) + ["kill"])

    @staticmethod
    def allow_cores():
        resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)

    def core(self, folder, scenario, *arguments):
        """The core of a program that aborted, by GOTRACEBACK=crash."""
        self.allow_cores()
        subprocess.run([self.debuggee, scenario] + list(arguments), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       env=dict(os.environ, GOMAXPROCS="1", GOTRACEBACK="crash", DEBUGGEE_ABORTS="1"), timeout=120, check=False)
        return self.core_in(folder)

    def core_in(self, folder):
        found = glob.glob(os.path.join(folder, "core*"))
        if not found:
            self.skipTest("the system leaves no core here (/proc/sys/kernel/core_pattern, ulimit -c)")
        return found[0]

    def check_list(self, out):
        self.assertRegex(out, r'\n +\d+  \[chan receive\] "the clerk"  shop::Ship at debuggee.cc:%d  created by shop::Hire at '
                         r"debuggee.cc:%d in goroutine 1\n" % (self.line["recv"], self.line["hire clerk"]))
        self.assertRegex(out, r"\n +\d+  \[chan receive\]  shop::Ship at debuggee.cc:%d  created by shop::Hire at debuggee.cc:%d in" %
                         (self.line["recv"], self.line["hire worker"]))
        self.assertRegex(out, r"\n +\d+  \[sync.Mutex.Lock\]  gort::Mutex::\S+ at mutex.\S+  created by shop::Shop::Open at")
        self.assertIn("\n4 goroutines\n", out)

    number_of_the_clerk = None

    def clerk(self):
        """The same in every run: the main goroutine makes it first, with one P."""
        if Gdb.number_of_the_clerk is None:
            found = re.search(r'\n +(\d+)  \[[^\n]*"the clerk"', self.waiting("info goroutines"))
            Gdb.number_of_the_clerk = int(found.group(1))
        return Gdb.number_of_the_clerk

    def check_backtrace(self, out):
        names = re.findall(r"^#\d+ +(?:0x[0-9a-f]+ in )?([\w:]+)[^\n]*debuggee.cc:(\d+)", out, re.MULTILINE)
        want = [("shop::Ship", "recv"), ("shop::Pack", "pack"), ("shop::Worker", "worker")]
        self.assertEqual(names[:3], [(n, str(self.line[where])) for n, where in want], out)
        self.assertNotIn("__invoke", out)

    def test_goroutines_of_a_process_are_listed(self):
        self.check_list(self.waiting("info goroutines"))

    def test_a_parked_goroutine_has_a_backtrace_and_locals(self):
        clerk = self.clerk()
        out = self.waiting("goroutine %d bt" % clerk)
        self.check_backtrace(out[out.index("\n#1 "):] if "\n#1 " in out else out[out.index("EverybodyWaits() { asm"):])
        self.assertIn("weight = 10\n", self.waiting("goroutine %d bt full" % clerk))

    def test_after_a_goroutine_was_shown_the_thread_is_what_it_was(self):
        out = self.waiting("goroutine %d bt" % self.clerk(), "echo >>>\\n", "bt 1", "continue")
        self.assertRegex(out.split(">>>")[1], r"^\n#0 +shop::EverybodyWaits")

    # As if the goroutine had parked so many seconds earlier.
    EARLIER = ("python g = gdb.parse_and_eval('gort::rt::allgs._M_b._M_p')", "python while int(g['goid']) != %d: g = g['alllink']",
               "python gdb.execute('set var ((gort::rt::G*)%%d)->waitsince -= %d000000000' %% int(g))")

    def earlier(self, seconds):
        return (self.EARLIER[0], self.EARLIER[1] % self.clerk(), self.EARLIER[2] % seconds)

    def test_how_long_a_goroutine_waits_is_shown_from_a_second_on(self):
        self.assertIn("[chan receive] \"the clerk\"", self.waiting("info goroutines"))
        self.assertRegex(self.waiting(*self.earlier(5), "info goroutines"), r'\[chan receive, [5-9] s\] "the clerk"')
        self.assertIn("[chan receive, 3 minutes] \"the clerk\"", self.waiting(*self.earlier(185), "info goroutines"))

    def test_a_core_knows_how_long_a_goroutine_had_waited(self):
        with tempfile.TemporaryDirectory() as folder:
            self.allow_cores()
            self.gdb(["cd " + folder, "break shop::EverybodyWaits", "run wait", *self.earlier(185), "signal SIGABRT"], GOTRACEBACK="crash")
            self.assertIn("[chan receive, 3 minutes] \"the clerk\"", self.gdb(["info goroutines"], self.core_in(folder)))

    def test_a_command_runs_in_every_goroutine(self):
        out = self.waiting("goroutine all bt")
        for function in ("shop::Clerk", "shop::Worker", "shop::Boss", "shop::Wait"):
            self.assertRegex(out, r"(?m)^#\d+ .*%s" % function)

    def test_part_of_the_list_is_chosen_by_text(self):
        self.assertIn("\n1 goroutine\n", self.waiting("info goroutines the clerk"))

    def test_what_is_not_there_is_said(self):
        self.assertIn("no goroutine 99999", self.waiting("goroutine 99999 bt"))

    def test_a_program_that_does_not_run_is_no_error_of_the_script(self):
        self.assertNotIn("Python Exception", self.gdb(["info goroutines"]))

    def test_values_of_channels_locks_and_wait_groups_are_readable(self):
        out = self.waiting("up", "print s.door", "print s.till", "print s.wg", "print background")
        self.assertIn(" = channel 0/0, 2 receivers wait\n", out)
        self.assertIn(" = locked, 1 waiting\n", out)
        self.assertIn(" = counter 1\n", out)
        self.assertIn(" = background\n", out)

    def test_next_stays_in_the_function_while_pre_emption_interrupts_it(self):
        out = self.gdb(["tbreak shop::Compute", "run step"] + ["next"] * 5 + ["kill"], GODEBUG="preemptrate=1000")
        lines = [int(n) for n in re.findall(r"^(\d+)\t", out, re.MULTILINE)]
        self.assertEqual(lines, [self.line[n] for n in ("1", "2", "3", "4", "5", "computed")], out)

    def test_every_probe_is_in_the_program(self):
        out = self.gdb(["info probes stap gort"])
        for probe in ("go_create", "go_start", "go_park", "go_ready", "go_end", "go_steal"):
            self.assertRegex(out, r"(?m)^stap +gort +%s " % probe)

    def test_gdb_stops_at_a_probe_and_reads_its_arguments(self):
        out = self.gdb(["break -probe-stap gort:go_park if $_probe_arg0 > 1", "run wait", "print $_probe_arg0", "print $_probe_arg1",
                        "backtrace 3", "kill"])
        self.assertRegex(out, r"(?m)^\$1 = [2-9]$")
        self.assertRegex(out, r"(?m)^#0 .*GoPark")

    def test_a_core_has_the_same_list_and_backtraces(self):
        with tempfile.TemporaryDirectory() as folder:
            core = self.core(folder, "wait")
            out = self.gdb(["info goroutines"], core)
            self.check_list(out)
            clerk = re.search(r'\n +(\d+)  \[[^\n]*"the clerk"', out).group(1)
            self.check_backtrace(self.gdb(["echo \\n>>>\\n", "goroutine %s bt" % clerk], core).split(">>>")[1])
            self.assertIn("weight = 10\n", self.gdb(["goroutine %s bt full" % clerk], core))

    def test_what_a_core_lacks_that_gdb_wrote_is_no_error(self):
        with tempfile.TemporaryDirectory() as folder:
            core = os.path.join(folder, "core")
            self.waiting("generate-core-file " + core)
            self.assertRegex(self.gdb(["info goroutines"], core), r"\n\d+ goroutines\n")
            self.assertNotIn("Python Exception", self.gdb(["goroutine all bt"], core))

    def test_many_goroutines_of_a_core_are_listed_by_their_shape(self):
        n = 20000
        with tempfile.TemporaryDirectory() as folder:
            core = self.core(folder, "many", str(n))
            before = os.times().children_user
            out = self.gdb(["info goroutines"], core)
            spent = os.times().children_user - before
        self.assertIn("\n%d goroutines\n" % (n + 1), out)
        self.assertGreaterEqual(out.count("shop::Ship at debuggee.cc:%d" % self.line["recv"]), n)
        # Unwinding each by gdb would take more than a millisecond.
        self.assertLess(spent, n * 0.0005)


if __name__ == "__main__":
    Gdb.debuggee = os.path.abspath(sys.argv[1])
    Gdb.line = lines_of(sys.argv[2])
    for missing in (["gdb"] if shutil.which("gdb") is None else []):
        print("SKIPPED: this test needs the package %s" % missing)
        sys.exit(0)
    if UNDER or has_sanitizer(Gdb.debuggee):
        print("SKIPPED: gdb runs no program under an emulator; a sanitizer moves variables, or keeps signals back")
        sys.exit(0)
    unittest.main(argv=sys.argv[:1], verbosity=2)
