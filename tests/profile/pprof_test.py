"""Profiles say what is known of the programs they are of. Where there is Go, its pprof reads them too.

pprof_test.py SCENARIOS
"""

import glob
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from tests.profile.decoded import Profile
from tests.support.program import UNDER, has_tsan


def find_go():
    """Debian's Go; None: there is none."""
    return shutil.which("go") or next(iter(sorted(glob.glob("/usr/lib/go-*/bin/go"), reverse=True)), None)


class Pprof(unittest.TestCase):
    program = ""
    go = find_go()

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def run_it(self, scenario, file="profile", **env):
        """The path of the file that the scenario writes."""
        path = os.path.join(self.folder, file)
        done = subprocess.run(UNDER + [self.program, scenario, path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              universal_newlines=True, env=dict(os.environ, **env), timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        return path

    def pprof(self, path, *options):
        """What `go tool pprof` prints; empty where there is no Go."""
        if self.go is None:
            return ""
        done = subprocess.run([self.go, "tool", "pprof"] + list(options) + [path], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True, timeout=120, check=False,
                              env=dict(os.environ, HOME=self.folder, PPROF_TMPDIR=self.folder))
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def assert_near(self, got, want, tolerance):
        self.assertGreater(got, want * (1 - tolerance))
        self.assertLess(got, want * (1 + tolerance))

    def assert_first(self, path, *functions):
        """pprof's first functions are these, in this order."""
        if self.go is None:
            return
        rows = self.pprof(path, "-top").split("sum%        cum   cum%\n")[1].split("\n")
        self.assertEqual([" ".join(r.split()[5:]).split(" (inline)")[0] for r in rows[:len(functions)]], list(functions))

    def assert_cpu(self, path):
        p = Profile(path)
        self.assertEqual(p.types, [("samples", "count"), ("cpu", "nanoseconds")])
        heavy, light, thread = (p.sum_of(f) for f in ("work::Heavy", "work::Light", "work::OnItsOwnThread"))
        if has_tsan(self.program):  # handlers come late, and see no stack
            self.assertGreater(p.total(), 0)
            return
        # 900, 300 and 600 ms of CPU time, in samples of 10 ms.
        self.assert_near(heavy, 0.9e9, 0.2)
        self.assert_near(light, 0.3e9, 0.3)
        self.assert_near(thread, 0.6e9, 0.25)
        self.assertEqual(p.sum_of("work::Heavy", who="heavy", phase="one"), heavy)
        self.assertEqual(p.sum_of("work::Light", who="light"), light)
        self.assertEqual(sum(s.values[1] for s in p.samples if s.labels and "who" not in s.labels), 0)
        self.assertEqual(p.sum_of("work::OnItsOwnThread", who="heavy"), 0)
        if self.go is None:
            return
        self.assertRegex(self.pprof(path, "-tags"), r"who: .*\n.*: heavy\n.*: light\n")
        self.assertIn("work::Heavy", self.pprof(path, "-traces"))

    def test_cpu_time_is_shared_out_as_it_was_used(self):
        path = self.run_it("cpu")
        self.assert_cpu(path)
        p = Profile(path)
        self.assertTrue(any(m[2].endswith("scenarios") for m in p.mappings.values()))

    def test_a_handler_of_the_program_is_there_again(self):
        self.run_it("handler")

    def test_the_environment_records_a_whole_run(self):
        path = os.path.join(self.folder, "environment")
        self.run_it("environment", GODEBUG="cpuprofile=" + path)
        self.assert_cpu(path)

    def test_goroutines_are_counted_by_stack_and_labels(self):
        path = self.run_it("goroutines")
        p = Profile(path)
        self.assertEqual(p.types, [("goroutine", "count")])
        self.assertEqual(p.sum_of("work::WaitsForAnswer"), 30)
        self.assertEqual(p.sum_of("work::WaitsForAnswer", half="first"), 10)
        self.assertEqual(p.sum_of("work::WaitsForAnswer", half="second"), 20)
        self.assertEqual(p.sum_of("work::WaitsInTurn"), 5)
        self.assertEqual(p.sum_of("work::Goroutines"), 1 + 35 if p.sum_of("work::Goroutines") > 1 else 1)
        self.assertEqual(p.total(), 36)
        for s in p.samples:
            self.assertFalse(any("gort::rt::" in f.function for f in s.stack), s.stack)

    def test_waits_have_their_number_and_their_length(self):
        p = Profile(self.run_it("block"))
        self.assertEqual(p.types, [("contentions", "count"), ("delay", "nanoseconds")])
        often, rarely = (p.sum_of(f, 0) for f in ("work::OftenAndShort", "work::RarelyAndLong"))
        self.assertLessEqual(often, 20)
        self.assertGreaterEqual(often, 15)  # a value may be there before its receiver
        self.assertLessEqual(rarely, 4)
        self.assertGreaterEqual(rarely, 3)
        self.assertGreater(p.sum_of("work::OftenAndShort"), 0.15e9)
        self.assertGreater(p.sum_of("work::RarelyAndLong"), 0.15e9)

    def test_a_convoy_is_its_owners(self):
        path = self.run_it("convoy")
        p = Profile(path)
        keeper = p.sum_of("work::KeepsOthersWaiting")
        self.assertGreater(keeper, 0.2e9)
        self.assertGreater(keeper, 0.5 * p.total())
        leaves = {s.stack[0].function for s in p.samples if any("KeepsOthers" in f.function for f in s.stack)}
        self.assertEqual(leaves, {"gort::Mutex::UnlockSlow"})
        self.assert_first(path, "gort::Mutex::UnlockSlow")

    def test_the_heap_is_near_what_was_allocated(self):
        path = self.run_it("heap")
        p = Profile(path)
        self.assertEqual([t[0] for t in p.types], ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space"])
        mib = 1 << 20
        # 512 samples for 32 MiB: 4.4 % is one standard deviation.
        self.assert_near(p.sum_of("work::TakesSmall", 1), 32 * mib, 0.25)
        self.assert_near(p.sum_of("work::TakesSmall", 3), 16 * mib, 0.35)
        self.assert_near(p.sum_of("work::TakesSmall", 0), 32 << 10, 0.25)
        self.assert_near(p.sum_of("work::TakesLarge", 3, size="large"), 8 * mib, 0.01)
        self.assertEqual(p.sum_of("work::TakesSmall", size="large"), 0)
        self.assert_first(path, "work::TakesSmall", "work::TakesLarge")
        after = Profile(path + ".after")
        self.assertEqual(after.sum_of("work::Takes", 3), 0)
        self.assertEqual(after.sum_of("work::Takes", 1), p.sum_of("work::Takes", 1))

    def test_a_sample_counts_by_the_rate_it_was_drawn_at(self):
        p = Profile(self.run_it("rates"))
        self.assertGreaterEqual(p.sum_of("work::TakesOne", 0), 1)
        self.assertLessEqual(p.sum_of("work::TakesOne", 0), 2)
        self.assertLessEqual(p.sum_of("work::TakesOne", 1), 2000)


if __name__ == "__main__":
    Pprof.program = os.path.abspath(sys.argv.pop(1))
    unittest.main()
