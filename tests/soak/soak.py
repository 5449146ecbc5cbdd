#!/usr/bin/env python3
"""Loads httpd and respd with clients that vanish at random, and counts what is left.

    soak.py HTTPD RESPD [--seconds=600] [--clients=50] [--seed=N]

For each server in turn: counts goroutines, descriptors and timers when nobody is there; lets wrk (redis-benchmark) load it, killed
and started again at random; lets clients come and go beside it that close in the middle of a request, reset, send garbage, read
nothing, or stop for a while; and one client that checks its answers. Then everybody goes, and the counts must be what they were.
Goroutines and timers are those of the server's own GODEBUG=schedtrace lines, descriptors those of /proc/PID/fd.
"""

import argparse
import os
import random
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from tests.support.program import UNDER, terminate

PATIENCE = 120  # seconds, for anything that must happen
SETTLE = 60  # seconds, for the server to notice that everybody is gone


class Server:
    """A running server and what it says about itself."""

    def __init__(self, name, program, flags):
        self.name, self.program = name, program
        environment = dict(os.environ, GODEBUG="schedtrace=100,scheddetail=1")
        self.process = subprocess.Popen(UNDER + [program] + flags, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        self.traced = threading.Condition()
        self.begun = 0  # reports
        self.counts = None  # (goroutines, timers) of the last whole one, which is the last but one begun
        self.complaints = []
        self.reader = threading.Thread(target=self.read_trace, daemon=True)
        self.reader.start()
        line = self.process.stdout.readline().decode()
        if not line.startswith("listening on 127.0.0.1:"):
            sys.exit("soak: %s does not start: %s" % (name, line))
        self.port = int(line.rsplit(":", 1)[1])

    def read_trace(self):
        goroutines = timers = 0
        for raw in self.process.stderr:
            line = raw.decode(errors="replace").rstrip("\n")
            if line.startswith("SCHED "):
                with self.traced:
                    self.counts = (goroutines, timers)
                    self.begun += 1
                    self.traced.notify_all()
                goroutines = timers = 0
            elif re.match(r"  G\d+: status=", line):
                goroutines += 1
            elif re.match(r"  P\d+: status=", line):
                timers += int(re.search(r"timerslen=(\d+)", line).group(1))
            elif not re.match(r"  M\d+: p=", line):
                self.complaints.append(line)

    def count(self):
        """What there is now: goroutines, timers, descriptors."""
        with self.traced:
            # The next one to begin, whole when the one after it begins.
            wanted = self.begun + 2
            if not self.traced.wait_for(lambda: self.begun >= wanted, PATIENCE):
                sys.exit("soak: %s has stopped to report" % self.name)
            goroutines, timers = self.counts
        return {"goroutines": goroutines, "timers": timers, "descriptors": len(os.listdir("/proc/%d/fd" % self.process.pid))}

    def count_at_rest(self, request, answer):
        """What there is when the server is up, which its first answer proves, and nobody is there."""
        with self.connect() as s:
            s.sendall(request)
            got = b""
            while not got.endswith(answer):
                more = s.recv(4096)
                if not more:
                    sys.exit("soak: %s: closed after %r" % (self.name, got))
                got += more
        # That client may still be on its way out, and the server about to wait for the signal that ends it.
        counts = [self.count() for _ in range(5)]
        while any(c != counts[-1] for c in counts[-5:]):
            counts.append(self.count())
        return counts[-1]

    def resident_kib(self):
        with open("/proc/%d/status" % self.process.pid, encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def stop(self):
        terminate(self.process, self.program)
        self.process.wait(timeout=PATIENCE)
        self.reader.join(PATIENCE)
        return self.process.returncode


class Protocol:
    """What a client may send."""

    def __init__(self, load, requests, flood, answer, check):
        self.load = load  # of the program that makes load, given a port
        self.requests = requests  # whole requests
        self.flood = flood  # many whole requests, with much to answer
        self.answer, self.check = answer, check  # a request, and what its answer ends with


HTTP = Protocol(
    lambda port: ["wrk", "-t1", "-c64", "-d600s", "http://127.0.0.1:%d/" % port],
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /debug/goroutines HTTP/1.1\r\nHost: x\r\n\r\n",
     b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n" + b"x" * 20000,
     b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
     b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"no HTTP at all\r\n\r\n"],
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 500, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"Hello, World!")
RESP = Protocol(
    lambda port: ["redis-benchmark", "-p", str(port), "-q", "-l", "-P", "16", "-r", "1000", "-t", "set,get,incr"],
    [b"PING\r\n", b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n", b"INCR n\r\n", b"DEL k n\r\n",
     b"SET e 1 PX 50\r\n", b"SCAN 0 COUNT 100\r\n", b"*2\r\n$4\r\nECHO\r\n$20000\r\n" + b"x" * 20000 + b"\r\n", b"QUIT\r\n", b"*1\r\n:1\r\n"],
    (b"*2\r\n$4\r\nECHO\r\n$20000\r\n" + b"x" * 20000 + b"\r\n") * 5, b"ECHO check\r\n", b"$5\r\ncheck\r\n")


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def vanish(server, protocol, rng):
    """One client, from its coming to its going."""
    with server.connect() as s:
        data = b"".join(rng.choice(protocol.requests) for _ in range(rng.randrange(1, 20)))
        what = rng.randrange(7)
        if what == 0:  # says nothing
            pass
        elif what == 1:  # stops in the middle of a request
            s.sendall(data[:rng.randrange(len(data))])
        elif what == 2:  # reads nothing, and asks for more than the server's buffers hold
            s.settimeout(0.2)
            for _ in range(rng.randrange(200)):
                s.sendall(protocol.flood)
        elif what == 3:  # one byte after the other
            for byte in data[:rng.randrange(60)]:
                s.sendall(bytes([byte]))
        elif what == 4:  # garbage, which may be the beginning of something
            s.settimeout(0.2)
            s.sendall(rng.getrandbits(8 * 100).to_bytes(100, "little"))
            s.recv(100)
        elif what == 5:  # ends its half, and reads all
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
        else:  # stays a while
            s.sendall(data)
            s.settimeout(rng.uniform(0, 0.5))
            while s.recv(1000):
                pass
        if rng.randrange(2):
            reset(s)


def soak(server, protocol, seconds, clients, seed):
    """Everything that was wrong."""
    end = time.monotonic() + seconds
    tally = {"vanished": 0, "killed": 0, "checked": 0}
    wrong = []
    lock = threading.Lock()

    def count(what):
        with lock:
            tally[what] += 1

    def come_and_go(rng):
        while time.monotonic() < end:
            try:
                vanish(server, protocol, rng)
            except OSError:
                pass  # the server is free to close first
            count("vanished")

    def load(rng):
        while time.monotonic() < end:
            with subprocess.Popen(protocol.load(server.port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
                # The point of the kill; nothing waits for it.
                time.sleep(min(rng.uniform(0.05, 5), max(0, end - time.monotonic())))
                if program.poll() is None:
                    count("killed")
                program.kill()

    def check():
        try:
            with server.connect() as s:
                while time.monotonic() < end:
                    s.sendall(protocol.answer)
                    got = b""
                    while not got.endswith(protocol.check):
                        more = s.recv(4096)
                        if not more:
                            raise OSError("closed after %r" % got)
                        got += more
                    count("checked")
        except OSError as e:
            wrong.append("%s: a client that behaves: %s" % (server.name, e))

    threads = [threading.Thread(target=come_and_go, args=(random.Random("%d:%d" % (seed, i)),)) for i in range(clients)]
    threads += [threading.Thread(target=load, args=(random.Random(seed),)), threading.Thread(target=check)]
    for t in threads:
        t.start()
    while any(t.is_alive() for t in threads):
        threads[0].join(1)
        if server.process.poll() is not None:
            wrong.append("%s: ended with status %d" % (server.name, server.process.returncode))
            break
        for t in threads:
            t.join(0.01)
    print("%s: %d s, %d clients vanished, load killed %d times, %d answers checked" %
          (server.name, seconds, tally["vanished"], tally["killed"], tally["checked"]))
    if tally["checked"] == 0 and not wrong:
        wrong.append("%s: the client that behaves had no answer" % server.name)
    return wrong


def run(name, program, flags, protocol, options):
    """Everything that was wrong with one server."""
    server = Server(name, program, flags)
    try:
        before = server.count_at_rest(protocol.answer, protocol.check)
        resident = server.resident_kib()
        wrong = soak(server, protocol, options.seconds, options.clients, options.seed)
        if server.process.poll() is None:
            after = server.count()
            deadline = time.monotonic() + SETTLE
            while after != before and time.monotonic() < deadline:
                after = server.count()
            print("%s: before %s, after %s; resident %d KiB, then %d" % (name, before, after, resident, server.resident_kib()))
            if after != before:
                wrong.append("%s: left behind: %s, not %s" % (name, after, before))
            status = server.stop()
            if status != 0:
                wrong.append("%s: ended with status %d" % (name, status))
        return wrong + ["%s said: %s" % (name, line) for line in server.complaints[:50]]
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("httpd")
    parser.add_argument("respd")
    parser.add_argument("--seconds", type=float, default=600, help="for each server (default: %(default)s)")
    parser.add_argument("--clients", type=int, default=50, help="that come and go at once (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    for program, package in (("wrk", "wrk"), ("redis-benchmark", "redis-tools")):
        if shutil.which(program) is None:
            sys.exit("soak: no %s; apt-get install %s" % (program, package))
    print("seed", options.seed, flush=True)
    wrong = run("httpd", options.httpd, ["--idle_seconds=20"], HTTP, options)
    with tempfile.TemporaryDirectory() as directory:
        wrong += run("respd", options.respd, ["--dir=" + directory], RESP, options)
    print("\n".join(wrong) if wrong else "nothing is left behind")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
