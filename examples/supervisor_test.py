"""supervisor with programs that end well, badly, and not at all.

supervisor_test.py SUPERVISOR
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from tests.support.program import UNDER, status_of, terminate

SUPERVISOR = None
PATIENCE = 60  # seconds, for anything that must happen


class SupervisorTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def start(self, *words):
        process = subprocess.Popen(UNDER + [SUPERVISOR] + list(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder)
        self.addCleanup(self.kill, process)
        return process

    def kill(self, process):
        if process.poll() is None:
            for pid in self.children(process):
                os.kill(int(pid), signal.SIGKILL)
            process.kill()
        if not process.stdout.closed:
            process.communicate()

    def run_to_end(self, *words):
        """(status, lines, errors)"""
        process = self.start(*words)
        out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out.decode().splitlines(), err.decode()

    def pid_of(self, process):
        """Of the program that it starts next."""
        line = process.stdout.readline().decode()
        self.assertIn(": started, pid ", line)
        return int(line.rsplit(" ", 1)[1])

    def next_line(self, process):
        return process.stdout.readline().decode().rstrip("\n")

    def assert_gone(self, pid):
        self.assertFalse(os.path.exists("/proc/%d" % pid), "neither a program nor a zombie")

    def children(self, process):
        pids = []
        for tid in os.listdir("/proc/%d/task" % process.pid):
            with open("/proc/%d/task/%s/children" % (process.pid, tid)) as f:
                pids += f.read().split()
        return pids

    def test_what_ends_well_is_not_started_again(self):
        status, lines, err = self.run_to_end("true", "sleep 0.01")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(sum("started" in l for l in lines), 2)
        self.assertEqual(sorted(l for l in lines if "started" not in l), ["sleep 0.01: done", "true: done"])

    def test_what_ends_badly_is_started_again_after_pauses_that_double(self):
        # Ends badly three times, and then well.
        script = "sh -c 'echo x >>count; test $(wc -l <count) -eq 4'"
        begin = time.monotonic()
        status, lines, err = self.run_to_end("--first_pause=0.05", script)
        took = time.monotonic() - begin
        self.assertEqual((status, err), (0, ""))
        self.assertEqual([l.rpartition(": ")[2] for l in lines if "started" not in l],
                         ["exit status 1, again in %s" % d for d in ("50ms", "100ms", "200ms")] + ["done"])
        self.assertGreaterEqual(took, 0.35)

    def test_too_many_restarts_are_an_end_for_all(self):
        process = self.start("--restarts=2", "--first_pause=0.01", "sleep 1000", "sh -c 'sleep 0.1; kill -9 $$'")
        out, err = process.communicate(timeout=PATIENCE)
        lines = out.decode().splitlines()
        self.assertEqual(process.returncode, 1)
        self.assertEqual(err.decode(), "supervisor: ABORTED: sh -c 'sleep 0.1; kill -9 $$': signal: SIGKILL, too often\n")
        self.assertEqual(sum(l.startswith("sh -c") and "started" in l for l in lines), 3)
        self.assertIn("sleep 1000: ended, signal: SIGTERM", lines)
        for line in lines:
            if "started" in line:
                self.assert_gone(int(line.rsplit(" ", 1)[1]))

    def test_one_that_has_run_long_enough_begins_anew(self):
        process = self.start("--restarts=1", "--first_pause=0.01", "--good_seconds=0.1", "sh -c 'sleep 0.2; exit 3'")
        for i in range(4):
            self.pid_of(process)
            self.assertEqual(self.next_line(process), "sh -c 'sleep 0.2; exit 3': exit status 3, again in 10ms")
        terminate(process, SUPERVISOR)
        self.assertEqual(status_of(process, SUPERVISOR, PATIENCE), 0)

    def test_a_signal_ends_the_children_and_leaves_none(self):
        for end in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(end=end):
                stubborn = "sh -c 'trap \"\" TERM; : >ready; while :; do sleep 0.05; done'"
                command = "sleep 1000" if end == signal.SIGTERM else stubborn
                process = self.start("--grace=0.3", command)
                pid = self.pid_of(process)
                while command == stubborn and not os.path.exists(self.folder + "/ready"):
                    time.sleep(0.01)
                if not UNDER:
                    self.assertEqual(self.children(process), [str(pid)])
                terminate(process, SUPERVISOR)
                self.assertEqual(self.next_line(process), "%s: ended, signal: SIG%s" % (command, end.name[3:]))
                self.assertEqual(status_of(process, SUPERVISOR, PATIENCE), 0)
                self.assert_gone(pid)

    def test_a_signal_during_a_pause_ends_it(self):
        process = self.start("--first_pause=1000", "--longest_pause=1000", "false")
        self.pid_of(process)
        self.assertEqual(self.next_line(process), "false: exit status 1, again in 16m40s")
        terminate(process, SUPERVISOR)
        self.assertEqual(status_of(process, SUPERVISOR, PATIENCE), 0)

    def test_no_command_is_bad_usage(self):
        self.assertEqual(self.run_to_end()[0], 2)


if __name__ == "__main__":
    SUPERVISOR = os.path.abspath(sys.argv.pop(1))
    unittest.main()
