"""README.md's server, as README.md has it: it starts, answers what a client of HTTP asks, and outlives a bad one."""

import http.client
import socket
import subprocess
import unittest

from tests.support.program import UNDER

SERVER = "docs/readme_server"
PATIENCE = 60  # seconds, for anything that must happen


class ReadmeTest(unittest.TestCase):

    def setUp(self):
        self.server = subprocess.Popen(UNDER + [SERVER, "127.0.0.1:0"], stdout=subprocess.PIPE)
        self.addCleanup(self.end)
        line = self.server.stdout.readline().decode()
        self.assertRegex(line, r"^listening on 127\.0\.0\.1:\d+\n$")
        self.port = int(line.rpartition(":")[2])

    def end(self):
        self.server.kill()
        self.server.wait()
        self.server.stdout.close()

    def test_keeps_the_connection(self):
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        for path in ("/hello", "/again"):
            client.request("GET", path)
            answer = client.getresponse()
            self.assertEqual((answer.status, answer.read()), (200, b"GET %s HTTP/1.1\n" % path.encode()))
        client.close()

    def test_two_at_once(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as idle:
            idle.sendall(b"GET /never ends")
            self.test_keeps_the_connection()

    def test_too_long(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as bad:
            try:
                bad.sendall(b"x" * 100000)
                self.assertEqual(bad.recv(1), b"")
            except (BrokenPipeError, ConnectionResetError):
                pass
        self.test_keeps_the_connection()

    def test_address_in_use(self):
        second = subprocess.run(UNDER + [SERVER, "127.0.0.1:%d" % self.port], stderr=subprocess.PIPE, timeout=PATIENCE)
        self.assertEqual(second.returncode, 1)
        self.assertIn(b"Address already in use", second.stderr)


if __name__ == "__main__":
    unittest.main()
