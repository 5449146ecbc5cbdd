"""httpd from outside: answers, limits, pipelining, and its end.

httpd_test.py HTTPD
"""

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

from tests.support.program import UNDER, terminate

HTTPD = None
HELLO = b"Hello, World!"
PATIENCE = 60  # seconds, for anything that must happen


class Server:
    """A running httpd."""

    def __init__(self, *flags):
        self.process = subprocess.Popen(UNDER + [HTTPD] + list(flags), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = self.process.stdout.readline().decode()
        assert line.startswith("listening on 127.0.0.1:"), (line, self.process.stderr.read())
        self.port = int(line.rsplit(":", 1)[1])

    def connect(self):
        return Client(self.port)

    def sockets(self):
        """Descriptors of those that the process has open."""
        folder = "/proc/%d/fd/" % self.process.pid
        found = []
        for fd in os.listdir(folder):
            try:
                if os.readlink(folder + fd).startswith("socket:"):
                    found.append(int(fd))
            except FileNotFoundError:
                pass  # closed meanwhile
        return found

    def break_listener(self):
        """Shuts the listening socket down, through a descriptor of our own."""
        pidfd_getfd = 438
        pidfd = os.pidfd_open(self.process.pid)
        for fd in self.sockets():
            mine = ctypes.CDLL(None).syscall(pidfd_getfd, pidfd, fd, 0)
            if mine < 0:
                raise unittest.SkipTest("pidfd_getfd is not allowed")
            with socket.socket(fileno=mine) as s:
                if s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    s.shutdown(socket.SHUT_RDWR)
                    break
        os.close(pidfd)

    def stop(self):
        terminate(self.process, HTTPD)
        return self.wait()

    def wait(self):
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, err.decode()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


class Client:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffered = b""

    def send(self, data):
        self.sock.sendall(data)

    def get(self, path="/", extra=b""):
        self.send(b"GET " + path.encode() + b" HTTP/1.1\r\nHost: x\r\n" + extra + b"\r\n")
        return self.answer()

    def _more(self):
        got = self.sock.recv(65536)
        if not got:
            raise EOFError(self.buffered)
        self.buffered += got

    def answer(self, has_body=True):
        """(status, headers, body) of the next answer."""
        while b"\r\n\r\n" not in self.buffered:
            self._more()
        head, self.buffered = self.buffered.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:])
        length = int(headers.get("Content-Length", 0)) if has_body else 0
        while len(self.buffered) < length:
            self._more()
        body, self.buffered = self.buffered[:length], self.buffered[length:]
        return int(lines[0].split()[1]), headers, body

    def at_end(self):
        """True when the server closes, having sent nothing more."""
        return self.buffered == b"" and self.sock.recv(1) == b""

    def close(self):
        self.sock.close()


class HttpdTest(unittest.TestCase):
    def test_answers_and_keeps_the_connection(self):
        with Server() as server:
            c = server.connect()
            for _ in range(100):
                status, headers, body = c.get()
                self.assertEqual((status, body), (200, HELLO))
                self.assertNotIn("Connection", headers)
            self.assertEqual(c.get("/?q=1")[2], HELLO)
            self.assertEqual(c.get("/nothing")[0], 404)
            status, _, body = c.get("/debug/goroutines")
            self.assertEqual(status, 200)
            self.assertIn(b"goroutine ", body)
            self.assertIn(b"IO wait", body)
            self.assertEqual(server.stop(), (0, ""))

    def test_debug_pages(self):
        with Server() as server:
            c = server.connect()
            index = c.get("/debug/")[2].decode()
            for page in ("goroutines", "metrics", "trace", "profile", "profile/heap"):
                self.assertIn('href="/debug/%s"' % page, index)
            status, headers, body = c.get("/debug/metrics")
            self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
            self.assertIn(b"\ngort_gomaxprocs ", body)
            status, headers, body = c.get("/debug/trace?seconds=0.1")
            self.assertEqual((status, headers["Content-Disposition"]), (200, 'attachment; filename="trace.perfetto-trace"'))
            self.assertGreater(len(body), 0)
            status, headers, body = c.get("/debug/profile?seconds=0.1")
            self.assertEqual((status, headers["Content-Disposition"]), (200, 'attachment; filename="cpu.pprof"'))
            self.assertGreater(len(body), 0)
            self.assertEqual(c.get("/debug/trace?seconds=1000")[0], 400)
            self.assertEqual(c.get("/debug/none")[0], 404)
            self.assertEqual(server.stop(), (0, ""))
        with Server("--debug_pages=false") as server:
            self.assertEqual(server.connect().get("/debug/metrics")[0], 404)

    def test_a_page_that_records_keeps_nobody_waiting(self):
        with Server() as server:
            # Of two one records, and the other has its answer at once.
            both = [server.connect(), server.connect()]
            for c in both:
                c.send(b"GET /debug/trace?seconds=60 HTTP/1.1\r\nHost: x\r\n\r\n")
            refused = select.select([c.sock for c in both], [], [], PATIENCE)[0]
            self.assertEqual(len(refused), 1)
            both.sort(key=lambda c: c.sock in refused)
            slow, c = both
            status, _, body = c.answer()
            self.assertEqual((status, b"already recording" in body), (409, True))
            self.assertEqual(c.get()[2], HELLO)
            # The end of the server ends it, and it has its answer.
            terminate(server.process, HTTPD)
            status, headers, body = slow.answer()
            self.assertEqual((status, headers["Connection"]), (200, "close"))
            self.assertGreater(len(body), 0)
            self.assertEqual(server.wait(), (0, ""))

    def test_methods(self):
        with Server() as server:
            c = server.connect()
            c.send(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
            status, headers, _ = c.answer(has_body=False)
            self.assertEqual((status, headers["Content-Length"]), (200, str(len(HELLO))))
            c.send(b"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n")
            status, headers, _ = c.answer()
            self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))
            c.send(b"HEAD /debug/trace?seconds=60 HTTP/1.1\r\nHost: x\r\n\r\n")
            status, headers, _ = c.answer(has_body=False)
            self.assertEqual((status, headers["Allow"]), (405, "GET"))
            c.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde")
            self.assertEqual(c.answer()[0], 405)
            c.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
            self.assertEqual(c.answer()[0], 405)
            c.send(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
            self.assertEqual(c.answer(has_body=False)[0], 100)
            c.send(b"x")
            self.assertEqual(c.answer()[0], 405)
            self.assertEqual(c.get(extra=b"Connection: Upgrade\r\nUpgrade: h2c\r\n")[2], HELLO)
            c.send(b"CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertEqual(c.answer()[0], 501)
            self.assertTrue(c.at_end())

    def test_pipelined_answers_come_in_order(self):
        with Server() as server:
            c = server.connect()
            n = 3000
            threading.Thread(target=c.send, args=(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * n
                                                  + b"GET /last HTTP/1.1\r\nHost: x\r\n\r\n",)).start()
            for _ in range(n):
                self.assertEqual(c.answer()[2], HELLO)
            self.assertEqual(c.answer()[0], 404)

    def test_byte_by_byte(self):
        with Server() as server:
            c = server.connect()
            for byte in b"GET / HTTP/1.1\r\nX-Long-Header-Name-Nobody-Asks-For: y\r\nHost: x\r\n\r\n":
                c.send(bytes([byte]))
            self.assertEqual(c.answer()[2], HELLO)

    def test_closes_when_asked(self):
        with Server() as server:
            c = server.connect()
            status, headers, _ = c.get(extra=b"Connection: close\r\n")
            self.assertEqual((status, headers["Connection"]), (200, "close"))
            self.assertTrue(c.at_end())
            c = server.connect()
            c.send(b"GET / HTTP/1.0\r\n\r\n")
            self.assertEqual(c.answer()[2], HELLO)
            self.assertTrue(c.at_end())
            c = server.connect()
            c.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" * 2)
            self.assertEqual(c.answer()[1]["Connection"], "keep-alive")
            self.assertEqual(c.answer()[2], HELLO)

    def test_closing_waits_for_what_is_still_coming(self):
        # A reset instead of the end could cost a client the answer.
        more = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 1000
        with Server() as server:
            c = server.connect()
            c.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + more)
            self.assertEqual(c.answer()[2], HELLO)
            self.assertTrue(c.at_end())
            c.close()
            c = server.connect()
            c.send(b"GET / HTTP/1.1\r\nHo")
            self.wait_until_read(server.port)
            terminate(server.process, HTTPD)
            with self.assertRaises(OSError):
                while True:
                    server.connect().close()
            c.send(b"st: x\r\n\r\n" + more)
            status, headers, body = c.answer()
            self.assertEqual((status, headers["Connection"], body), (200, "close", HELLO))
            self.assertTrue(c.at_end())
            c.close()
            self.assertEqual(server.wait(), (0, ""))

    def test_limits(self):
        with Server("--max_header_bytes=1000", "--max_body_bytes=1000") as server:
            c = server.connect()
            self.assertEqual(c.get(extra=b"X: " + b"y" * 800 + b"\r\n")[0], 200)
            self.assertEqual(c.get(extra=b"X: " + b"y" * 100_000 + b"\r\n")[0], 431)
            self.assertTrue(c.at_end())
            c = server.connect()
            c.send(b"GET /" + b"y" * 5000)
            self.assertEqual(c.answer()[0], 431)
            c = server.connect()
            c.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n")
            self.assertEqual(c.answer()[0], 413)
            self.assertTrue(c.at_end())
            c = server.connect()
            c.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"100\r\n" + b"z" * 256 + b"\r\n") * 5)
            self.assertEqual(c.answer()[0], 413)
            self.assertTrue(c.at_end())

    def test_what_is_not_http_gets_400(self):
        bad = [b"\r\n\r\nNONSENSE\r\n\r\n", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
               b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
               b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
               b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
               b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x00" * 100]
        with Server() as server:
            for text in bad:
                c = server.connect()
                c.send(text)
                self.assertEqual(c.answer()[0], 400, text)
                self.assertTrue(c.at_end(), text)
            # Pipelined behind a good one: that is answered first.
            c = server.connect()
            c.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nNONSENSE\r\n\r\n")
            self.assertEqual(c.answer()[2], HELLO)
            self.assertEqual(c.answer()[0], 400)
            self.assertTrue(c.at_end())

    def test_what_a_proxy_could_read_otherwise_gets_400(self):
        post = b"POST / HTTP/1.1\r\nHost: x\r\n"
        chunked = post + b"Transfer-Encoding: chunked\r\n\r\n"
        bad = [post + b"Content-Length : 5\r\n\r\nabcde",
               post + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
               post + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
               post + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
               post + b"Transfer-Encoding: identity\r\n\r\n", post + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
               post + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
               post + b"X: y\r\n Content-Length: 5\r\n\r\nabcde",
               b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
               b"GET / HTTP/1.1\nHost: x\n\n", b"GET / HTTP/1.1\r\nHost: x\r\n\n", b"GET / HTTP/1.1\r\nHost: x\rX: y\r\n\r\n",
               b"GET /  HTTP/1.1\r\nHost: x\r\n\r\n",
               chunked + b"5\nabcde\r\n0\r\n\r\n", chunked + b"5\rXabcde\r\n0\r\n\r\n",
               chunked + b"5 x\r\nabcde\r\n0\r\n\r\n", chunked + b"5;x\ny\r\nabcde\r\n0\r\n\r\n",
               chunked + b"5\r\nabcdeXX0\r\n\r\n", chunked + b"5\r\nabcde\rX0\r\n\r\n", chunked + b"0\r\n\n",
               chunked + b"0\r\nContent-Length : 5\r\n\r\n"]
        with Server() as server:
            for text in bad:
                for pieces in ([text + b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"], [text[i:i + 1] for i in range(len(text))]):
                    c = server.connect()
                    try:
                        for piece in pieces:
                            c.send(piece)
                    except ConnectionError:
                        pass  # it has answered
                    self.assertEqual(c.answer()[0], 400, text)
                    self.assertTrue(c.at_end(), text)

    def test_idle_clients_are_let_go(self):
        with Server("--idle_seconds=0.2") as server:
            quiet = server.connect()
            self.assertTrue(quiet.at_end())
            slow = server.connect()
            slow.send(b"GET / HT")
            self.assertEqual(slow.answer()[0], 408)
            self.assertTrue(slow.at_end())
            drip = server.connect()  # a byte now and then does not buy time
            with self.assertRaises(OSError):
                for _ in range(PATIENCE * 20):
                    drip.send(b"x")
                    time.sleep(0.05)
            greedy = server.connect()  # asks and does not listen
            with self.assertRaises(OSError):
                greedy.sock.settimeout(PATIENCE)
                while True:
                    greedy.send(b"GET /debug/goroutines HTTP/1.1\r\nHost: x\r\n\r\n" * 100)

    def test_a_punctual_client_may_be_ahead_with_its_next_request(self):
        request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        with Server("--idle_seconds=3") as server:
            c = server.connect()
            c.send(request[:1])
            # Each read of the server's ends within a request, for longer than one may take.
            end = time.monotonic() + 3.5
            while time.monotonic() < end:
                c.send(request[1:] + request[:1])
                self.assertEqual(c.answer()[0], 200)

    def test_ends_on_sigterm_after_what_it_has_begun(self):
        with Server() as server:
            idle = server.connect()
            self.assertEqual(idle.get()[0], 200)
            busy = server.connect()
            busy.send(b"GET / HTTP/1.1\r\nHo")
            self.wait_until_read(server.port)
            terminate(server.process, HTTPD)
            self.assertTrue(idle.at_end())
            with self.assertRaises(OSError):
                while True:
                    server.connect().close()
            busy.send(b"st: x\r\n\r\n")
            status, headers, body = busy.answer()
            self.assertEqual((status, headers["Connection"], body), (200, "close", HELLO))
            self.assertTrue(busy.at_end())
            self.assertEqual(server.wait(), (0, ""))

    def test_a_request_that_comes_with_sigterm_does_not_time_out(self):
        # What it has begun to read it answers, the others it closes.
        for before in range(0, 100, 5):
            with Server() as server:
                clients = [server.connect() for _ in range(100)]
                for c in clients:
                    self.assertEqual(c.get()[0], 200)
                for i, c in enumerate(clients):
                    if i == before:
                        terminate(server.process, HTTPD)
                    self.unless_closed(c.send, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n")
                with self.assertRaises(OSError):
                    while True:
                        server.connect().close()
                for c in clients:
                    self.unless_closed(c.send, b"x")
                    answer = self.unless_closed(c.answer)
                    self.assertTrue(answer is None or answer[0] == 405, answer)
                    c.close()
                self.assertEqual(server.wait(), (0, ""))

    @staticmethod
    def unless_closed(call, *args):
        try:
            return call(*args)
        except (EOFError, ConnectionError):
            return None

    def wait_until_read(self, port):
        """Until no connection of the server's has bytes in the kernel."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with open("/proc/net/tcp", encoding="ascii") as f:
                rows = [line.split() for line in f][1:]
            mine = [row for row in rows if int(row[1].split(":")[1], 16) == port and row[3] == "01"]
            if mine and all(int(row[4].split(":")[1], 16) == 0 for row in mine):
                return
            self.assertLess(time.monotonic(), deadline)

    def test_sigterm_does_not_wait_for_ever(self):
        with Server("--shutdown_seconds=0.2") as server:
            stuck = server.connect()
            stuck.send(b"GET / HTTP/1.1\r\nHo")
            self.wait_until_read(server.port)
            self.assertEqual(server.stop(), (0, ""))

    def test_port_in_use_is_one_line(self):
        with Server() as server:
            second = subprocess.run(UNDER + [HTTPD, "--port=%d" % server.port], capture_output=True, timeout=PATIENCE,
                                    check=False)
            self.assertEqual(second.returncode, 1)
            self.assertEqual(second.stdout, b"")
            self.assertEqual(second.stderr.decode(),
                             "httpd: listen tcp 127.0.0.1:%d: bind: Address already in use\n" % server.port)

    def test_when_it_can_accept_no_more_it_answers_what_it_has_begun(self):
        with Server() as server:
            c = server.connect()
            c.send(b"GET / HTTP/1.1\r\nHo")
            self.wait_until_read(server.port)
            server.break_listener()
            self.assertEqual(server.process.stderr.readline(),
                             b"httpd: accept tcp 127.0.0.1:%d: Invalid argument\n" % server.port)
            c.send(b"st: x\r\n\r\n")
            self.assertEqual(c.answer()[2], HELLO)
            c.close()
            self.assertEqual(server.wait(), (1, ""))

    def test_flags(self):
        shown = subprocess.run(UNDER + [HTTPD, "--help"], capture_output=True, timeout=PATIENCE, check=True)
        self.assertIn(b"--port (int32; default: 0)", shown.stdout)
        for bad in ("--port=70000", "--idle_seconds=0", "--nonsense", "word"):
            run = subprocess.run(UNDER + [HTTPD, bad], capture_output=True, timeout=PATIENCE, check=False)
            self.assertEqual(run.returncode, 2, bad)
            self.assertEqual(run.stderr.count(b"\n"), 1, run.stderr)

    def test_clients_that_vanish_leave_nothing_behind(self):
        with Server() as server:
            keeper = server.connect()
            keeper.get()
            before = len(server.sockets())
            linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # on, 0 seconds: a reset
            for i in range(300):
                c = server.connect()
                if i % 3 == 0:
                    c.send(b"GET / HTTP/1.1\r\n")
                elif i % 3 == 1:
                    c.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                if i % 2 == 0:
                    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                c.close()
            deadline = time.monotonic() + PATIENCE
            while len(server.sockets()) > before and time.monotonic() < deadline:
                keeper.get()
            self.assertEqual(len(server.sockets()), before)
            dump = keeper.get("/debug/goroutines")[2].decode()
            while dump.count("ServeOne") > 1 and time.monotonic() < deadline:
                dump = keeper.get("/debug/goroutines")[2].decode()
            self.assertLessEqual(dump.count("ServeOne"), 1)


if __name__ == "__main__":
    HTTPD = sys.argv.pop(1)
    unittest.main(verbosity=2, warnings="ignore")
