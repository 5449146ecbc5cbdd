"""respd from outside: by its protocol, by redis-cli and redis-benchmark, and through kill -9.

respd_test.py RESPD
"""

import fcntl
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import zlib

from apps.common.resp_client import Client, Failure
from tests.support.program import UNDER, terminate

RESPD = None
PATIENCE = 120  # seconds, for anything that must happen


class Server:
    """A running respd."""

    def __init__(self, directory, *flags, most_bytes=None):
        """most_bytes: how long a file of its may become."""
        def limit():
            # A child begins with Python's ignored SIGXFSZ, so that a write too far is an error.
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
        self.process = subprocess.Popen(UNDER + [RESPD, "--dir=" + directory] + list(flags), stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, restore_signals=most_bytes is None,
                                        preexec_fn=limit if most_bytes is not None else None)
        line = self.process.stdout.readline().decode()
        assert line.startswith("listening on 127.0.0.1:"), (line, self.process.stderr.read())
        self.port = int(line.rsplit(":", 1)[1])

    def client(self):
        return Client(("127.0.0.1", self.port))

    def end(self, how):
        if how == signal.SIGTERM:
            terminate(self.process, RESPD)
        else:
            self.process.send_signal(how)
        _, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, err.decode()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


class RespdTest(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.dir = self.scratch.name

    def tearDown(self):
        self.scratch.cleanup()

    def fails(self, client, text, *args):
        with self.assertRaises(Failure) as caught:
            client.call(*args)
        self.assertEqual(str(caught.exception), text)

    def test_commands(self):
        with Server(self.dir) as server:
            c = server.client()
            self.assertEqual(c.call("PING"), "PONG")
            self.assertEqual(c.call("ping", "x"), b"x")
            self.assertEqual(c.call("ECHO", b"\r\n\0"), b"\r\n\0")
            self.assertIsNone(c.call("GET", "a"))
            self.assertEqual(c.call("SET", "a", b"1\r\n\xff"), "OK")
            self.assertEqual(c.call("GET", "a"), b"1\r\n\xff")
            self.assertEqual(c.call("SET", "", ""), "OK")
            self.assertEqual(c.call("GET", ""), b"")
            self.assertIsNone(c.call("SET", "a", "2", "NX"))
            self.assertIsNone(c.call("SET", "b", "2", "XX"))
            self.assertEqual(c.call("EXISTS", "a", "b", "a"), 2)
            self.assertEqual(c.call("DEL", "a", "b", "", "a"), 2)
            self.assertEqual([c.call("INCR", "n") for _ in range(3)], [1, 2, 3])
            self.assertEqual(c.call("GET", "n"), b"3")
            self.assertEqual(c.call("TTL", "n"), -1)
            self.assertEqual(c.call("TTL", "nothing"), -2)
            self.assertEqual(c.call("EXPIRE", "nothing", 5), 0)
            self.assertEqual(c.call("EXPIRE", "n", 100), 1)
            self.assertIn(c.call("TTL", "n"), (99, 100))
            self.assertEqual(c.call("INCR", "n"), 4)
            self.assertIn(c.call("TTL", "n"), (99, 100))
            self.assertEqual(c.call("EXPIRE", "n", -1), 1)
            self.assertIsNone(c.call("GET", "n"))
            self.assertEqual(c.call("SET", "e", "v", "EX", 50), "OK")
            self.assertIn(c.call("TTL", "e"), (49, 50))
            self.assertEqual(c.call("SET", "e", "v"), "OK")
            self.assertEqual(c.call("TTL", "e"), -1)
            self.assertEqual(c.call("SET", "p", "v", "PX", 20), "OK")
            deadline = time.monotonic() + PATIENCE
            while c.call("GET", "p") is not None and time.monotonic() < deadline:
                pass
            self.assertEqual(c.call("TTL", "p"), -2)
            self.assertEqual(c.call("QUIT"), "OK")
            self.assertEqual(c.file.read(), b"")
            self.assertEqual(server.end(signal.SIGTERM), (0, ""))

    def test_errors(self):
        with Server(self.dir) as server:
            c = server.client()
            integer = "ERR value is not an integer or out of range"
            self.fails(c, "ERR unknown command 'NONSENSE'", "NONSENSE", "x")
            self.fails(c, "ERR unknown command 'a  b'", "a\r\nb")
            self.fails(c, "ERR wrong number of arguments for 'get' command", "GET")
            self.fails(c, "ERR wrong number of arguments for 'get' command", "GET", "a", "b")
            self.fails(c, "ERR syntax error", "SET", "a", "1", "EX")
            self.fails(c, "ERR syntax error", "SET", "a", "1", "NX", "XX")
            self.fails(c, "ERR syntax error", "SET", "a", "1", "EX", "1", "PX", "1")
            self.fails(c, integer, "SET", "a", "1", "EX", "x")
            for bad in ("0", "-1", str(2**62)):
                self.fails(c, "ERR invalid expire time in 'set' command", "SET", "a", "1", "EX", bad)
            for bad in ("", "x", " 1", "1 ", "+1", "01", "-0", "-", str(2**63), "1" * 30):
                c.call("SET", "s", bad)
                self.fails(c, integer, "INCR", "s")
            c.call("SET", "s", str(2**63 - 1))
            self.fails(c, "ERR increment or decrement would overflow", "INCR", "s")
            c.call("SET", "s", str(-2**63))
            self.assertEqual(c.call("INCR", "s"), -2**63 + 1)
            self.fails(c, "ERR invalid expire time in 'expire' command", "EXPIRE", "s", 2**62)
            for bad in ("x", "-1", "", str(2**64)):
                self.fails(c, "ERR invalid cursor", "SCAN", bad)
            self.fails(c, "ERR syntax error", "SCAN", "0", "COUNT", "0")
            self.fails(c, "ERR syntax error", "SCAN", "0", "COUNT")
            self.fails(c, "ERR pattern is longer than 256 bytes", "SCAN", "0", "MATCH", "*" * 257)
            self.assertEqual(c.call("SET", "k" * 16384, "1"), "OK")
            for write in (["SET", "k" * 16385, "1"], ["INCR", "k" * 16385]):
                self.fails(c, "ERR key is longer than 16384 bytes", *write)
            self.assertEqual(c.call("PING"), "PONG")  # it is still there
            # What is no protocol ends the connection, after the answers to what came before it.
            for bad, text in ((b"*x\r\n", "invalid multibulk length"), (b"*1\r\n:1\r\n", "expected '$', got ':'"),
                              (b"*1\r\n$-5\r\n", "invalid bulk length"), (b"\"x\r\n", "unbalanced quotes in request"),
                              (b"x" * 100_000, "too big inline request")):
                c = server.client()
                c.raw(b"PING\r\n" + bad)
                self.assertEqual(c.answer(), "PONG")
                with self.assertRaises(Failure) as caught:
                    c.answer()
                self.assertEqual(str(caught.exception), "ERR Protocol error: " + text)

    def test_pipelining_and_inline_commands(self):
        with Server(self.dir) as server:
            c = server.client()
            n = 20_000
            threading.Thread(target=c.raw, args=(b"INCR n\r\n" * n,)).start()
            self.assertEqual([c.answer() for _ in range(n)], list(range(1, n + 1)))
            for byte in b"set \"a b\" 'c'\r\n*2\r\n$3\r\nGET\r\n$3\r\na b\r\n":
                c.raw(bytes([byte]))
            self.assertEqual([c.answer(), c.answer()], ["OK", b"c"])
            big = os.urandom(3 << 20)
            self.assertEqual(c.call("SET", "big", big), "OK")
            self.assertEqual(c.call("GET", "big"), big)

    def test_scan(self):
        with Server(self.dir) as server:
            c = server.client()
            for i in range(1000):
                c.send("SET", "key:%d" % i, "v")
            for _ in range(1000):
                c.answer()
            for extra in ([], ["COUNT", 100], ["MATCH", "key:*"]):
                cursor, keys = "0", []
                while True:
                    cursor, some = c.call("SCAN", cursor, *extra)
                    keys += some
                    if cursor == b"0":
                        break
                self.assertEqual(sorted(keys), sorted(b"key:%d" % i for i in range(1000)))

    def test_a_kill_loses_nothing_that_was_acknowledged(self):
        seed = random.randrange(1 << 30)
        print("seed", seed)
        rng = random.Random(seed)
        acknowledged = {}  # key -> number of its newest acknowledged value
        tried = {}
        for _ in range(20):
            with Server(self.dir) as server:
                c = server.client()
                self.check(c, acknowledged, tried)
                c.close()
                stop = threading.Event()
                threads = [threading.Thread(target=self.write, args=(server.port, w, acknowledged, tried, stop))
                           for w in range(4)]
                for t in threads:
                    t.start()
                time.sleep(rng.uniform(0.01, 0.15))  # the point of the kill; nothing waits for it
                server.process.kill()
                server.process.communicate()
                stop.set()
                for t in threads:
                    t.join()
        self.assertGreater(len(acknowledged), 0)
        with Server(self.dir) as server:
            self.check(server.client(), acknowledged, tried)

    @staticmethod
    def value(n):
        return b"%d:%s:%d" % (n, b"x" * (n * 37 % 500), n)

    def write(self, port, writer, acknowledged, tried, stop):
        try:
            c = Client(("127.0.0.1", port))
            n = 0
            while not stop.is_set():
                batch = ["w%d:%d" % (writer, (n + i) % 50) for i in range(8)]
                n += 8
                for key in batch:
                    tried[key] = tried.get(key, 0) + 1
                    c.send("SET", key, self.value(tried[key]))
                for key in batch:
                    if c.answer() == "OK":
                        acknowledged[key] = tried[key]
        except (OSError, EOFError, ValueError):
            pass  # killed

    def check(self, c, acknowledged, tried):
        for key, newest in acknowledged.items():
            data = c.call("GET", key)
            self.assertIsNotNone(data, key)
            n = int(data.split(b":")[0])
            self.assertEqual(data, self.value(n), key)
            self.assertGreaterEqual(n, newest, key)
            self.assertLessEqual(n, tried[key], key)

    def test_a_torn_end_is_cut_off_and_damage_is_not(self):
        path = os.path.join(self.dir, "respd.log")
        with Server(self.dir) as server:
            c = server.client()
            for i in range(10):
                c.call("SET", "k%d" % i, "v" * 100)
            server.end(signal.SIGKILL)
        with open(path, "rb") as f:
            whole = f.read()
        for cut in (1, 5, 11, 12, 50, 110):
            with open(path, "wb") as f:
                f.write(whole[:-cut])
            with Server(self.dir) as server:
                c = server.client()
                self.assertEqual(c.call("DBSIZE"), 9)
                self.assertIsNone(c.call("GET", "k9"))
                c.call("SET", "after", "x")
                status, err = server.end(signal.SIGTERM)
                self.assertEqual(status, 0)
                self.assertIn("of a record that was not finished", err)
            with Server(self.dir) as server:
                self.assertEqual(server.client().call("DBSIZE"), 10)
        for at in (0, 8, 20, len(whole) // 2):
            with open(path, "wb") as f:
                f.write(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1:])
            run = self.run_respd("--dir=" + self.dir)
            self.assertEqual(run.returncode, 1, at)
            self.assertIn("is damaged at byte", run.stderr.decode())
            self.assertEqual(run.stderr.count(b"\n"), 1)

    @staticmethod
    def record(body, bit=0):
        head = struct.pack("<II", len(body) | bit, zlib.crc32(body))
        return head + struct.pack("<I", zlib.crc32(head)) + body

    def log_of(self, *writes, marked=True):
        """A log of these writes, each of these keys, and where its records begin; marks are called None."""
        log, places = b"", []
        for keys in writes:
            for key in ([None] if marked else []) + list(keys):
                places.append((key, len(log)))
                log += (self.record(struct.pack("<q", len(log)), 1 << 31) if key is None else
                        self.record(b"S" + struct.pack("<qI", 0, 1) + key.encode() + b"v" * 100))
        return log, places

    def test_a_hole_from_a_power_cut_is_cut_off(self):
        path = os.path.join(self.dir, "respd.log")
        log, places = self.log_of("ab", "c", "def")
        holes = [(at, whole, key) for key, at in places for whole in (20, 50, 112)]
        for at, length, key in holes + [(places[-4][1], len(log) - places[-4][1], None)]:
            with open(path, "wb") as f:
                f.write(log[:at] + bytes(length) + log[at + length:])
            if at < places[-4][1]:  # what the last write has a mark for
                run = self.run_respd("--dir=" + self.dir)
                self.assertEqual((run.returncode, run.stderr.count(b"\n")), (1, 1), at)
                self.assertIn("is damaged at byte %d, " % at, run.stderr.decode())
                continue
            kept = sum(1 for other, place in places if other and place < at)
            for again in range(2):
                with Server(self.dir) as server:
                    c = server.client()
                    self.assertEqual(c.call("DBSIZE"), kept + again)
                    self.assertEqual(c.call("SET", "after", "x"), "OK")
                    err = "" if again else "respd: cut off %d bytes of a record that was not finished\n" % (len(log) - at)
                    self.assertEqual(server.end(signal.SIGTERM), (0, err), (at, key))

    def test_a_log_without_marks_is_read(self):
        path = os.path.join(self.dir, "respd.log")
        log, places = self.log_of("abcd", marked=False)
        with open(path, "wb") as f:
            f.write(log)
        with Server(self.dir) as server:
            self.assertEqual(server.client().call("DBSIZE"), 4)
            server.end(signal.SIGKILL)
        with open(path, "rb") as f:
            self.assertEqual(f.read(), log + self.record(struct.pack("<q", len(log)), 1 << 31))
        at = places[2][1]
        for tail in (b"", self.record(struct.pack("<q", len(log)), 1 << 31)):
            with open(path, "wb") as f:
                f.write(log[:at] + bytes(50) + log[at + 50:] + tail)
            run = self.run_respd("--dir=" + self.dir)
            self.assertEqual(run.returncode, 1)
            self.assertIn("is damaged at byte %d, " % at, run.stderr.decode())

    def test_a_long_log_is_written_anew_while_it_is_in_use(self):
        path = os.path.join(self.dir, "respd.log")
        with Server(self.dir) as server:
            c = server.client()
            for value in range(100):
                for i in range(10):
                    c.send("SET", "k%d" % i, b"%d" % value * 5000)
                    c.send("INCR", "n%d" % i)
                for i in range(20):
                    c.answer()
                self.assertLess(os.path.getsize(path), 5_000_000)
            deadline = time.monotonic() + PATIENCE
            while os.path.getsize(path) > 1_200_000:
                c.call("INCR", "n0")
                self.assertLess(time.monotonic(), deadline)
            self.assertEqual(server.end(signal.SIGKILL)[1], "")
        with Server(self.dir) as server:
            c = server.client()
            self.assertEqual(c.call("GET", "k9"), b"99" * 5000)
            self.assertGreaterEqual(int(c.call("GET", "n0")), 100)
            self.assertEqual([c.call("GET", "n%d" % i) for i in range(1, 10)], [b"100"] * 9)
            self.assertEqual(c.call("DBSIZE"), 20)

    def test_a_log_that_cannot_be_appended_is_served_for_reading(self):
        path = os.path.join(self.dir, "respd.log")
        with Server(self.dir) as server:
            c = server.client()
            c.call("SET", "k", "v")
            server.end(signal.SIGKILL)
        size = os.path.getsize(path)
        with Server(self.dir, most_bytes=size) as server:
            c = server.client()
            self.assertEqual(c.call("GET", "k"), b"v")
            for write in (["SET", "k", "w"], ["DEL", "k"], ["INCR", "n"], ["EXPIRE", "k", 100]):
                self.fails(c, "READONLY cannot write %s: File too large" % path, *write)
            self.assertEqual(c.call("SCAN", "0"), [b"0", [b"k"]])
            self.assertEqual(server.end(signal.SIGTERM),
                             (0, "respd: cannot write %s: File too large; serving reads only\n" % path))
        self.assertEqual(os.path.getsize(path), size)
        with Server(self.dir) as server:
            self.assertEqual(server.client().call("SET", "k", "w"), "OK")

    def test_the_log_is_opened_under_the_lock_of_its_directory(self):
        # Or it could be one that the lock's owner is about to replace.
        fd = os.open(self.dir, os.O_RDONLY)
        fcntl.flock(fd, fcntl.LOCK_EX)
        run = self.run_respd("--dir=" + self.dir)
        os.close(fd)
        self.assertEqual(run.stderr.decode(), "respd: %s is in use by another respd\n" % self.dir)
        self.assertEqual(os.listdir(self.dir), [])

    @staticmethod
    def run_respd(*flags):
        return subprocess.run(UNDER + [RESPD] + list(flags), capture_output=True, timeout=PATIENCE, check=False)

    def test_what_cannot_be_used_is_one_line(self):
        with Server(self.dir) as server:
            other = os.path.join(self.dir, "other")
            os.mkdir(other)
            for flags, text in ((("--dir=" + other, "--port=%d" % server.port),
                                 "listen tcp 127.0.0.1:%d: bind: Address already in use" % server.port),
                                (("--dir=" + self.dir,), self.dir + " is in use by another respd"),
                                (("--dir=/proc",), "cannot write /proc/respd.log: "),
                                (("--dir=/nonexistent",), "cannot open directory /nonexistent: No such file or directory")):
                run = self.run_respd(*flags)
                self.assertEqual((run.returncode, run.stdout), (1, b""), run)
                self.assertTrue(run.stderr.decode().startswith("respd: " + text), run.stderr)
                self.assertEqual(run.stderr.count(b"\n"), 1)
        shown = self.run_respd("--help")
        self.assertIn(b"--dir (string; default: .)", shown.stdout)
        self.assertEqual(self.run_respd("--port=70000").returncode, 2)

    def test_redis_cli(self):
        with Server(self.dir) as server:
            def cli(*args, text=None):
                return subprocess.run(["redis-cli", "-p", str(server.port)] + list(args), capture_output=True, input=text,
                                      timeout=PATIENCE, check=True).stdout.decode()
            self.assertEqual(cli("ping"), "PONG\n")
            self.assertEqual(cli("set", "greeting", "hello world", "ex", "100"), "OK\n")
            self.assertEqual(cli("get", "greeting"), "hello world\n")
            self.assertEqual(cli("incr", "counter"), "1\n")
            self.assertEqual(cli(text=b"echo \"a b\"\ndel counter\nttl nothing\n"), "a b\n1\n-2\n")
            self.assertEqual(cli("--scan", "--pattern", "greet*"), "greeting\n")
            self.assertIn("ERR unknown command", cli("hget", "a", "b"))

    def test_redis_benchmark(self):
        with Server(self.dir) as server:
            run = subprocess.run(["redis-benchmark", "-p", str(server.port), "-P", "16", "-n", "20000", "-q", "-t",
                                  "set,get,incr"], capture_output=True, timeout=PATIENCE * 4, check=True)
            for name in (b"SET: ", b"GET: ", b"INCR: "):
                self.assertIn(name, run.stdout)
            self.assertEqual(server.client().call("GET", "counter:__rand_int__"), b"20000")


if __name__ == "__main__":
    RESPD = sys.argv.pop(1)
    unittest.main(verbosity=2, warnings="ignore")
