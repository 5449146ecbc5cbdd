"""GODEBUG=leakcheck: names what a program has planted, once, and nobody in applications under load.

apps_test.py PLANTED HTTPD RESPD STREAMWORKER [SECONDS]
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from apps.common.resp_client import Client
from tests.support.program import UNDER, has_sanitizer, terminate

PLANTED = HTTPD = RESPD = STREAMWORKER = None
SECONDS = 4.0
PATIENCE = 120  # seconds, for anything that must happen
# LeakSanitizer finds what the planted goroutine holds.
ENVIRONMENT = dict(os.environ, GODEBUG="leakcheck=20", ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
SEARCHES = 20  # at least


def until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it does not happen")
        time.sleep(0.01)


class Program:
    """A program under search; what it says on stderr."""

    def __init__(self, words):
        self.words = words
        self.process = subprocess.Popen(UNDER + words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=ENVIRONMENT)
        self.said = b""
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stderr:
            self.said += line

    def end(self):
        """What it has said, when it has ended by SIGTERM."""
        terminate(self.process, self.words[0])
        status = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        return status, self.said

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()


class LeakcheckTest(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.mkdtemp(prefix="leak", dir="/tmp")  # a unix socket's path is short
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)

    def start(self, *words):
        program = Program(list(words))
        self.addCleanup(program.kill)
        return program

    def listening(self, *words):
        program = self.start(*words)
        return program, int(program.process.stdout.readline().rsplit(b":", 1)[1])

    def nobody(self, program):
        self.assertEqual(program.end(), (0, b""))

    def load(self, client, *arguments):
        """Calls client(end, *arguments) in threads, until some seconds have passed."""
        end = time.monotonic() + SECONDS
        wrong = []

        def run():
            try:
                client(end, *arguments)
            except Exception as e:  # pylint: disable=broad-except
                wrong.append(e)

        threads = [threading.Thread(target=run) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(wrong, [])

    @unittest.skipIf(UNDER, "under the emulator a stale word leads to the one that is planted (leak/README.md, Limits)")
    def test_what_is_planted_is_named_once(self):
        program = self.start(PLANTED)
        self.assertEqual(program.process.stdout.readline(), b"planted\n")
        if has_sanitizer(PLANTED):
            until(lambda: b"no search: not with a sanitizer\n" in program.said)
        else:
            until(lambda: b"created by " in program.said)
        # Several searches later it has been said once.
        time.sleep(0.3)
        program.process.stdin.close()
        self.assertEqual(program.process.wait(PATIENCE), 0)
        program.reader.join(PATIENCE)
        said = program.said.decode()
        self.assertEqual(said.count("gort: leakcheck: "), 1, said)
        if has_sanitizer(PLANTED):
            return
        self.assertTrue(said.startswith("gort: leakcheck: 1 goroutine waits for ever:\n\ngoroutine "), said)
        self.assertIn("[chan send, leaked]:", said)
        self.assertRegex(said, r"created by .*Forget\(\)")
        self.assertIn("tests/leak/planted.cc:", said)

    def metrics(self, port, name):
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as s:
            s.sendall(b"GET /debug/metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            with s.makefile("rb") as page:
                return float(re.search(rb"\n%s (\S+)\n" % name, page.read()).group(1))

    @unittest.skipIf(UNDER, "a search stops threads one by one, which an emulator makes slow")
    def test_nobody_of_httpd(self):
        program, port = self.listening(HTTPD)
        if has_sanitizer(HTTPD):
            self.skipTest("not with a sanitizer")

        def client(end):
            while time.monotonic() < end:
                with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as s:
                    for _ in range(50):
                        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
                        got = b""
                        while got.count(b"Hello, World!") < 20:
                            got += s.recv(65536)

        self.load(client)
        # Each search is a stop of the world.
        self.assertGreater(self.metrics(port, b"gort_world_stops_total"), SEARCHES)
        self.assertEqual(self.metrics(port, b"gort_goroutines_leaked"), 0)
        self.nobody(program)

    @unittest.skipIf(UNDER, "a search stops threads one by one, which an emulator makes slow")
    def test_nobody_of_respd(self):
        program, port = self.listening(RESPD, "--dir=" + self.scratch)
        if has_sanitizer(RESPD):
            self.skipTest("not with a sanitizer")

        def client(end):
            while time.monotonic() < end:
                c = Client(("127.0.0.1", port))
                for _ in range(20):
                    for i in range(20):
                        c.send("SET", "key%d" % i, "value")
                        c.send("INCR", "n")
                    for _ in range(40):
                        c.answer()
                c.close()

        self.load(client)
        self.nobody(program)

    @unittest.skipIf(UNDER, "a search stops threads one by one, which an emulator makes slow")
    def test_nobody_of_streamworker(self):
        path = os.path.join(self.scratch, "redis.sock")
        server = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", path, "--dir", self.scratch, "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        until(lambda: os.path.exists(path))
        program = self.start(STREAMWORKER, "--redis=" + path, "--workers=8")
        if has_sanitizer(STREAMWORKER):
            self.skipTest("not with a sanitizer")
        self.assertIn(b"8 goroutines work on", program.process.stdout.readline())
        admin = Client(path)
        self.addCleanup(admin.close)
        sent = 0
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for _ in range(50):
                admin.send("XADD", "jobs", "*", "text", "some words")
            for _ in range(50):
                admin.answer()
            sent += 50
            until(lambda: admin.call("HLEN", "jobs:results") == sent)  # pylint: disable=cell-var-from-loop
        self.nobody(program)


if __name__ == "__main__":
    if shutil.which("redis-server") is None:
        sys.exit("apps_test: no redis-server; apt-get install redis-server")
    PLANTED, HTTPD, RESPD, STREAMWORKER = sys.argv[1:5]
    if len(sys.argv) > 5:
        SECONDS = float(sys.argv[5])
    unittest.main(argv=sys.argv[:1], verbosity=2, warnings="ignore")
