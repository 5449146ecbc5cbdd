"""streamworker on a real redis-server: nothing is lost by kill -9, cut connections, or the end.

streamworker_test.py STREAMWORKER
"""

import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from apps.common.resp_client import Client, Failure
from tests.support.program import UNDER, terminate

STREAMWORKER = None
PATIENCE = 120  # seconds, for anything that must happen


class Redis:
    """A redis-server on a unix socket of its own, which keeps nothing on the disk."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "redis.sock")
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.path, "--dir", directory, "--save", "", "--appendonly", "no"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if b"accept connections" in line:
                break
        else:
            raise AssertionError(b"".join(lines))
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def client(self):
        return Client(self.path)

    def stop(self):
        self.process.kill()
        self.process.wait()


def serve_each(listener, serve, more=tuple):
    """serve(connection, *more()) in a thread of its own for each connection; more is called in their order."""

    def accept():
        while True:
            try:
                outer = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=serve, args=(outer, *more()), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


class Cutter:
    """A TCP port before a redis-server, whose connections it cuts after some time."""

    def __init__(self, path, rng):
        self.path, self.rng, self.cut, self.cutting = path, rng, 0, True
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        serve_each(self.listener, self.carry, lambda: (self.rng.randrange(1, 4000),))

    def carry(self, outer, most):
        """Carries bytes both ways; stops after `most` of them, in the middle of whatever it is."""
        inner = socket.socket(socket.AF_UNIX)
        inner.connect(self.path)
        with outer, inner:
            while True:
                for s in select.select([outer, inner], [], [])[0]:
                    try:
                        data = s.recv(4096)
                        if not data:
                            return
                        if self.cutting and len(data) >= most:
                            (inner if s is outer else outer).sendall(data[:most])
                            self.cut += 1
                            return
                        most -= len(data)
                        (inner if s is outer else outer).sendall(data)
                    except OSError:
                        return

    def close(self):
        self.listener.close()


class OldRedis:
    """A redis-server as Redis 6.2 would be, before the one we have: XAUTOCLAIM gives null for what was deleted, and keeps it."""

    def __init__(self, redis):
        self.redis, self.path, self.nulls = redis, redis.path + ".old", 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(128)
        serve_each(self.listener, self.serve)

    def serve(self, outer):
        inner = self.redis.client()
        with outer, outer.makefile("rb") as commands:
            while True:
                first = commands.readline()
                if not first:
                    return
                args = [commands.read(int(commands.readline()[1:]) + 2)[:-2] for _ in range(int(first[1:]))]
                try:
                    answer = self.auto_claim(inner, *args[1:6]) if args[0] == b"XAUTOCLAIM" else inner.call(*args)
                    nothing = args[0] == b"XREADGROUP" and answer == []
                    outer.sendall(b"*-1\r\n" if nothing else self.encode(answer))
                except Failure as failure:
                    outer.sendall(b"-%s\r\n" % str(failure).encode())
                except OSError:
                    return

    def auto_claim(self, inner, stream, group, consumer, idle, _):
        entries = []
        for pending in inner.call("XPENDING", stream, group, "IDLE", idle, "-", "+", 1000):
            if inner.call("XRANGE", stream, pending[0], pending[0]):
                entries += inner.call("XCLAIM", stream, group, consumer, idle, pending[0])
            else:
                entries.append(None)
                self.nulls += 1
        return [b"0-0", entries]

    def encode(self, answer):
        if isinstance(answer, list):
            return b"*%d\r\n" % len(answer) + b"".join(self.encode(a) for a in answer)
        if isinstance(answer, int):
            return b":%d\r\n" % answer
        if isinstance(answer, str):
            return b"+%s\r\n" % answer.encode()
        return b"$-1\r\n" if answer is None else b"$%d\r\n%s\r\n" % (len(answer), answer)


class StreamworkerTest(unittest.TestCase):
    def setUp(self):
        self.seed = random.randrange(1 << 30)
        print("seed", self.seed)
        self.rng = random.Random(self.seed)
        self.scratch = tempfile.mkdtemp(prefix="redis", dir="/tmp")  # a unix socket's path is short
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self.redis = Redis(self.scratch)
        self.addCleanup(self.redis.stop)
        self.admin = self.redis.client()
        self.addCleanup(self.admin.close)
        self.expected = {}

    def start(self, *flags, address=None):
        worker = subprocess.Popen(
            UNDER + [STREAMWORKER, "--redis=" + (address or self.redis.path)] + [str(f) for f in flags],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

        def clean():
            if worker.poll() is None:
                worker.kill()
            worker.communicate()
        self.addCleanup(clean)
        return worker

    def finish(self, worker):
        """(processed, claimed) of a worker that ends well."""
        out, err = worker.communicate(timeout=PATIENCE)
        self.assertEqual((worker.returncode, err), (0, b""))
        said = re.search(r"processed (\d+) entries, (\d+) of them claimed\n$", out.decode())
        self.assertIsNotNone(said, out)
        return int(said.group(1)), int(said.group(2))

    def produce(self, n):
        for i in range(n):
            words = self.rng.randrange(12)
            self.admin.send("XADD", "jobs", "*", "other", "x", "text", " ".join(["word\t"] * words))
            self.expected[self.admin.answer()] = b"%d" % words

    def results(self):
        flat = self.admin.call("HGETALL", "jobs:results")
        return dict(zip(flat[::2], flat[1::2]))

    def pending(self):
        return self.admin.call("XPENDING", "jobs", "workers")[0]

    def until(self, condition):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), deadline)

    def check_all_done(self):
        results = self.results()
        lost = set(self.expected) - set(results)
        self.assertEqual(lost, set())
        self.assertEqual(results, self.expected)
        self.assertEqual(self.pending(), 0)

    def test_each_entry_is_done_once_when_nothing_happens(self):
        self.produce(1000)
        workers = [self.start("--until_empty", "--workers=16", "--consumer=w%d" % i) for i in range(2)]
        done = [self.finish(w) for w in workers]
        self.assertEqual((sum(p for p, _ in done), sum(c for _, c in done)), (1000, 0))
        self.check_all_done()

    def test_what_a_killed_worker_had_in_hand_is_claimed(self):
        # Its jobs take an hour: it is killed with all it has fetched unfinished.
        self.produce(100)
        slow = self.start("--work_ms=3600000", "--workers=4", "--count=5", "--consumer=slow")
        self.until(lambda: self.admin.call("EXISTS", "jobs") and self.admin.call("XINFO", "GROUPS", "jobs") and
                   self.pending() == 20)
        self.assertEqual(self.results(), {})
        slow.kill()
        slow.wait()
        fast = self.start("--until_empty", "--claim_idle_ms=100", "--workers=4")
        self.assertEqual(self.finish(fast), (100, 20))
        self.check_all_done()

    def test_kills_at_any_point_lose_nothing(self):
        self.produce(2000)
        flags = ("--workers=8", "--count=5", "--work_ms=10", "--claim_idle_ms=1000")
        steady = self.start(*flags)
        for _ in range(5):
            victim = self.start(*flags)
            self.assertIn(b"8 goroutines work on 'jobs'", victim.stdout.readline())
            before = len(self.results())
            goal = before + self.rng.randrange(60)  # the point of the kill
            self.until(lambda: len(self.results()) >= min(goal, 2000))  # pylint: disable=cell-var-from-loop
            victim.kill()
            victim.wait()
        self.produce(200)
        last = self.start("--until_empty", *flags)
        self.finish(last)
        self.check_all_done()
        terminate(steady, STREAMWORKER)
        self.finish(steady)

    def test_cut_connections_lose_nothing(self):
        self.produce(500)
        cutter = Cutter(self.redis.path, self.rng)
        self.addCleanup(cutter.close)
        # A connection may break while the first one finds out whether the server is there.
        self.assertEqual(self.admin.call("XGROUP", "CREATE", "jobs", "workers", "0"), "OK")
        cutter.cutting = False
        worker = self.start("--workers=8", "--count=5", "--claim_idle_ms=500", address=cutter.address)
        self.assertIn(b"8 goroutines", worker.stdout.readline())
        cutter.cutting = True
        self.produce(500)
        self.until(lambda: len(self.results()) >= 900)
        cutter.cutting = False
        self.until(lambda: len(self.results()) == 1000 and self.pending() == 0)
        terminate(worker, STREAMWORKER)
        self.finish(worker)
        self.assertGreater(cutter.cut, 0)
        self.check_all_done()

    def test_sigterm_ends_it_with_nothing_in_hand(self):
        self.produce(400)
        worker = self.start("--workers=4", "--work_ms=5")
        self.until(lambda: len(self.results()) > 20)
        terminate(worker, STREAMWORKER)
        self.finish(worker)
        self.assertEqual(self.pending(), 0)
        self.finish(self.start("--until_empty"))
        self.check_all_done()

    def test_deleted_and_empty_entries_hold_nobody_up(self):
        self.produce(10)
        odd = self.admin.call("XADD", "jobs", "*", "no", "such field")
        slow = self.start("--work_ms=3600000", "--workers=1", "--count=20")
        self.until(lambda: self.admin.call("XINFO", "GROUPS", "jobs") and self.pending() == 11)
        slow.kill()
        slow.wait()
        gone = next(iter(self.expected))
        self.assertEqual(self.admin.call("XDEL", "jobs", gone), 1)
        del self.expected[gone]
        self.finish(self.start("--until_empty", "--claim_idle_ms=50"))
        self.expected[odd] = b"no text"
        self.check_all_done()

    def test_deleted_entries_that_the_server_keeps_pending_hold_nobody_up(self):
        self.produce(10)
        slow = self.start("--work_ms=3600000", "--workers=1", "--count=20")
        self.until(lambda: self.admin.call("XINFO", "GROUPS", "jobs") and self.pending() == 10)
        slow.kill()
        slow.wait()
        for gone in list(self.expected)[::3]:
            self.assertEqual(self.admin.call("XDEL", "jobs", gone), 1)
            del self.expected[gone]
        old = OldRedis(self.redis)
        self.addCleanup(old.listener.close)
        self.finish(self.start("--until_empty", "--claim_idle_ms=50", "--workers=4", address=old.path))
        self.assertGreaterEqual(old.nulls, 4)
        self.check_all_done()

    def test_many_wait_while_one_works(self):
        # Two hundred calls that block, and one processor for all.
        environment = dict(os.environ, GOMAXPROCS="1")
        worker = subprocess.Popen(UNDER + [STREAMWORKER, "--redis=" + self.redis.path, "--workers=200"], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env=environment)
        try:
            self.until(lambda: int(re.search(rb"blocked_clients:(\d+)", self.admin.call("INFO", "clients")).group(1)) >= 199)
            self.produce(300)
            self.until(lambda: len(self.results()) == 300 and self.pending() == 0)
            terminate(worker, STREAMWORKER)
            self.finish(worker)
        finally:
            if worker.poll() is None:
                worker.kill()
                worker.communicate()
        self.check_all_done()

    def test_what_cannot_be_used_is_one_line(self):
        self.admin.call("SET", "text", "x")
        nowhere = os.path.join(self.scratch, "nothing.sock")
        for flags, address, text in (
                ((), nowhere, "redis at %s: No such file or directory" % nowhere),
                ((), "127.0.0.1:1", "redis at 127.0.0.1:1: Connection refused"),
                (("--stream=text",), None, "key 'text': WRONGTYPE "),
                (("--results=text",), None, "key 'text': WRONGTYPE ")):
            worker = self.start(*flags, address=address)
            out, err = worker.communicate(timeout=PATIENCE)
            self.assertEqual((worker.returncode, out), (1, b""), err)
            self.assertTrue(err.decode().startswith("streamworker: " + text), err)
            self.assertEqual(err.count(b"\n"), 1, err)
        for bad in ("--redis=nowhere", "--redis=a:0", "--redis=:1", "--redis=a:b:1", "--workers=0", "--count=x", "--nonsense"):
            worker = self.start(bad)
            _, err = worker.communicate(timeout=PATIENCE)
            self.assertEqual((worker.returncode, err.count(b"\n")), (2, 1), (bad, err))
        shown = subprocess.run(UNDER + [STREAMWORKER, "--help"], capture_output=True, timeout=PATIENCE, check=True)
        for flag in (b"--redis (string; default: 127.0.0.1:6379)", b"--claim_idle_ms", b"--until_empty"):
            self.assertIn(flag, shown.stdout)

    def test_a_server_that_goes_away_is_waited_for_and_then_given_up(self):
        worker = self.start("--workers=4", "--patience_seconds=0.5")
        self.assertIn(b"4 goroutines", worker.stdout.readline())
        self.redis.stop()
        out, err = worker.communicate(timeout=PATIENCE)
        self.assertEqual((worker.returncode, out), (1, b"processed 0 entries, 0 of them claimed\n"))
        self.assertTrue(err.decode().startswith("streamworker: redis at " + self.redis.path), err)
        self.assertEqual(err.count(b"\n"), 1, err)


if __name__ == "__main__":
    if shutil.which("redis-server") is None:
        sys.exit("streamworker_test: no redis-server; apt-get install redis-server")
    STREAMWORKER = sys.argv.pop(1)
    unittest.main(verbosity=2, warnings="ignore")
