"""What is run and what is read, with programs that are shell scripts."""

import contextlib
import io
import os
import tempfile
import unittest

from bench.comparing import measure, programs
from bench.comparing.programs import Failed, Peer

PRINTS = 'echo "%s $1 procs=$3 %s"\n'


class ProgramsTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def program(self, text):
        """Path of a shell script."""
        path = os.path.join(self.folder, "program%d" % len(os.listdir(self.folder)))
        with open(path, "w") as f:
            f.write("#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
        return path

    def run_it(self, *texts, name="go", workload="spawn", n=0, timeout=60):
        return programs.run(Peer(name, [self.program(text) for text in texts]), workload, 2, n, timeout)

    def test_lines_are_read(self):
        text = "go spawn procs=2 ns_per_op 12.5 ns\ngo spawn procs=2 cpu_ms 3 ms\n"
        self.assertEqual(programs.parse(text, "go", "spawn"), {("ns_per_op", "ns"): 12.5, ("cpu_ms", "ms"): 3.0})

    def test_other_names_of_a_figure_are_known(self):
        text = "x parked procs=1 rss_per_task 8552 B\nx parked procs=1 create 7 ms\n"
        self.assertEqual(programs.parse(text, "x", "parked"), {("rss_per_goroutine", "bytes"): 8552.0, ("create_ms", "ms"): 7.0})

    def test_any_other_line_is_a_failure(self):
        for line in ("go spawn procs=2 ns_per_op twelve ns", "go yield procs=2 ns_per_op 1 ns", "rust spawn procs=2 ns_per_op 1 ns",
                     "go spawn procs=2 ns_per_op 1", "go spawn 2 ns_per_op 1 ns", "hello", ""):
            with self.subTest(line=line), self.assertRaises(Failed):
                programs.parse(line + "\n", "go", "spawn")

    def test_procs_and_size_are_passed_on(self):
        self.assertEqual(self.run_it('echo "go $1 procs=$3 n $5 $4"', n=7), {("n", "-n"): 7.0})
        self.assertEqual(self.run_it('echo "go $1 procs=$3 words $# w"'), {("words", "w"): 3.0})

    def test_the_size_of_skynet_is_a_power_of_ten(self):
        self.assertEqual([programs.size("skynet", n) for n in (0, 1, 9, 10, 500, 1000, 99999)], [0, 1, 1, 10, 100, 1000, 10000])
        self.assertEqual(programs.size("spawn", 500), 500)

    def test_the_first_program_that_has_the_workload_counts(self):
        lacks, lacks_too = "exit 0\n", "echo usage >&2; exit 2\n"
        self.assertEqual(self.run_it(lacks, lacks_too, PRINTS % ("go", "a 1 ns"), PRINTS % ("go", "a 2 ns")), {("a", "ns"): 1.0})
        self.assertEqual(self.run_it(lacks, lacks_too), {})

    def test_what_crashes_or_does_not_end_has_failed(self):
        with self.assertRaisesRegex(Failed, "status 3: why"):
            self.run_it("echo why >&2; exit 3\n")
        with self.assertRaisesRegex(Failed, "no end after 0 s"):
            self.run_it("exec sleep 100\n", timeout=0)

    def test_startup_is_timed_where_nothing_is_said(self):
        self.assertGreater(self.run_it("exit 0\n", workload="startup")["wall_ms", "ms"], 0)
        self.assertEqual(self.run_it("echo startup: unknown >&2\n", workload="startup"), {})
        self.assertEqual(self.run_it("exit 2\n", workload="startup"), {})

    def test_peers_of_one_name_are_one(self):
        a, b, c = (self.program("") for _ in range(3))
        self.assertEqual(programs.peers(a, ["go=" + b, "x=" + c, "go=" + c]), [Peer("gort", [a]), Peer("go", [b, c]), Peer("x", [c])])
        for wrong in ("go", "=" + b, "gort=" + b, "go=/nonexistent"):
            with self.subTest(wrong=wrong), self.assertRaises(Failed):
                programs.peers(a, [wrong])


class InTurnsTest(unittest.TestCase):

    def in_turns(self, names, cells, rounds, run):
        with contextlib.redirect_stderr(io.StringIO()):
            return measure.in_turns([Peer(name, []) for name in names], cells, rounds, run)

    def test_each_round_begins_with_another(self):
        asked = []

        def run(peer, workload, procs):
            asked.append(peer.name)
            return {("f", "ns"): len(asked)}

        rows = self.in_turns("abc", [("spawn", 1)], 3, run)
        self.assertEqual("".join(asked), "abc" "bca" "cab")
        self.assertEqual(rows, [])  # no gort, no row

    def test_who_lacks_or_fails_is_not_asked_again(self):
        asked = []

        def run(peer, workload, procs):
            asked.append((peer.name, workload))
            if peer.name == "bad":
                raise Failed("broken")
            return {("f", "ns"): float(procs)} if (peer.name, workload) != ("go", "yield") else {}

        rows = self.in_turns(["gort", "go", "bad"], [("spawn", 1), ("yield", 2)], 3, run)
        self.assertEqual(asked.count(("go", "spawn")), 3)
        self.assertEqual(asked.count(("go", "yield")), 1)
        self.assertEqual(asked.count(("bad", "spawn")), 1)
        self.assertEqual(rows, [
            {"workload": "spawn", "procs": 1, "figure": "f", "unit": "ns", "values": {"gort": [1.0] * 3, "go": [1.0] * 3}, "failed": ["bad"]},
            {"workload": "yield", "procs": 2, "figure": "f", "unit": "ns", "values": {"gort": [2.0] * 3}, "failed": ["bad"]},
        ])

    def test_the_command_is_told_without_folders(self):
        self.assertEqual(measure.command(["/a/b/compare", "--peer", "x=/c/d", "--json", "/e/f.json", "-n", "5"]),
                         "bench/compare --peer x=d --json f.json -n 5")


if __name__ == "__main__":
    unittest.main()
