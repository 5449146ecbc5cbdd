"""tls from outside: curl, openssl's own programs, and certificates that must not pass.

tls_test.py TLS
"""

import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

from apps.tls.certificates import Authority
from tests.support.program import UNDER, status_of, terminate

TLS = None
PATIENCE = 60  # seconds, for anything that must happen
REQUEST = b"GET / HTTP/1.0\r\n\r\n"


def run(*words, data=b""):
    """(status, output, errors) of a program."""
    done = subprocess.run(words, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Server:
    """tls serve, with a certificate of `ca`'s."""

    def __init__(self, ca, name, *flags):
        self.process = subprocess.Popen(
            UNDER + [TLS, "--cert=" + ca.path(name + ".pem"), "--key=" + ca.path(name + ".key")] + list(flags) + ["serve", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = self.process.stdout.readline().decode()
        assert line.startswith("listening on 127.0.0.1:"), (line, self.process.stderr.read())
        self.port = int(line.rsplit(":", 1)[1])
        self.address = "127.0.0.1:%d" % self.port

    def stop(self):
        """Its status, and what it has complained of."""
        terminate(self.process, TLS)
        errors = self.process.communicate(timeout=PATIENCE)[1].decode()
        return status_of(self.process, TLS, PATIENCE), errors

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


class TlsTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        ca = cls.ca = Authority(cls.folder.name + "/ca")
        ca.sign("good")
        ca.sign("expired", dates=("-startdate", "20200101000000Z", "-enddate", "20200201000000Z"))
        ca.sign("future", dates=("-startdate", "20800101000000Z", "-enddate", "20800201000000Z"))
        ca.sign("elsewhere", host="example.org")
        ca.sign_itself("itself")
        ca.revoke(ca.sign("revoked"))
        cls.revoked = ca.with_revoked()
        cls.other = Authority(cls.folder.name + "/other", "nobody we know")
        cls.other.sign("good")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def curl(self, server, *words):
        return run("curl", "-sS", "--noproxy", "*", "--cacert", self.ca.path("ca.pem"), "--resolve",
                   "localhost:%d:127.0.0.1" % server.port, *words, "https://localhost:%d/page" % server.port)

    def get(self, address, *flags):
        return run(*UNDER, TLS, "--ca=" + self.ca.path("ca.pem"), *flags, "get", address)

    def python_client(self, server):
        context = ssl.create_default_context(cafile=self.ca.path("ca.pem"))
        plain = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        return context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False)

    def test_curl_gets_pages_by_each_version(self):
        with Server(self.ca, "good") as server:
            for version in ("1.2", "1.3"):
                got = self.curl(server, "--tlsv" + version, "--tls-max", version)
                self.assertEqual(got, (0, "GET /page HTTP/1.1\n", ""))
            self.assertNotEqual(self.curl(server, "--tls-max", "1.1", "--ciphers", "ALL@SECLEVEL=0")[0], 0, "too old")
            again = "https://localhost:%d/again" % server.port
            got = self.curl(server, again, "-w", "|%{num_connects}|")
            self.assertEqual(got, (0, "GET /again HTTP/1.1\n|1|GET /page HTTP/1.1\n|0|", ""), "one connection for both")
            status, errors = server.stop()
            self.assertEqual(status, 0)
            self.assertRegex(errors, "^tls: ABORTED: tls: unsupported protocol\n$")

    def test_s_client_is_content_with_the_handshake_and_the_end(self):
        with Server(self.ca, "good") as server:
            for version in ("-tls1_2", "-tls1_3"):
                client = subprocess.Popen(("openssl", "s_client", "-connect", server.address, "-servername", "localhost", "-CAfile",
                                           self.ca.path("ca.pem"), "-verify_hostname", "localhost", "-verify_return_error", "-quiet",
                                           "-no_ign_eof", version), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                client.stdin.write(REQUEST)
                client.stdin.flush()
                while client.stdout.readline() != b"GET / HTTP/1.0\n":
                    pass
                err = client.communicate(timeout=PATIENCE)[1].decode()
                self.assertEqual(client.returncode, 0, err)
                self.assertIn("verify return:1", err)
            self.assertEqual(server.stop(), (0, ""))

    def test_s_client_renews_keys_while_it_talks(self):
        with Server(self.ca, "good") as server:
            # A line "K" asks for new keys in both directions.
            client = subprocess.Popen(("openssl", "s_client", "-connect", server.address, "-CAfile", self.ca.path("ca.pem"), "-tls1_3"),
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for path in (b"one", b"two", b"three"):
                client.stdin.write(b"GET /%s\n\n" % path)
                client.stdin.flush()
                while b"GET /" + path not in client.stdout.readline():
                    pass
                client.stdin.write(b"K\n")
                client.stdin.flush()
                while client.stderr.readline() != b"KEYUPDATE\n":
                    pass
            client.communicate(b"Q\n", timeout=PATIENCE)
            self.assertEqual(client.returncode, 0)
            self.assertEqual(server.stop(), (0, ""))

    def test_client_gets_pages_from_s_server(self):
        for version in ("-tls1_2", "-tls1_3"):
            with subprocess.Popen(("openssl", "s_server", "-accept", "127.0.0.1:0", "-www", version, "-cert", self.ca.path("good.pem"), "-key",
                                   self.ca.path("good.key")), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as server:
                line = b""
                while not line.startswith(b"ACCEPT"):
                    line = server.stdout.readline()
                status, out, err = self.get(line.split()[1].decode())
                server.kill()
                self.assertEqual((status, err), (0, ""))
                self.assertIn("HTTP/1.0 200 ok", out)

    def test_certificates_that_must_not_pass(self):
        table = [
            (self.ca, "good", (), ""),
            (self.ca, "good", ("--name=LOCALHOST",), ""),
            (self.ca, "good", ("--ca=" + self.revoked, "--check_revoked"), ""),
            (self.ca, "expired", (), "certificate has expired"),
            (self.ca, "future", (), "certificate is not yet valid"),
            (self.ca, "elsewhere", (), "hostname mismatch"),
            (self.ca, "elsewhere", ("--name=example.org",), ""),
            (self.ca, "good", ("--name=127.0.0.1",), "IP address mismatch"),
            (self.ca, "itself", (), "self-signed certificate"),
            (self.other, "good", (), "unable to get local issuer certificate"),
            (self.ca, "revoked", ("--ca=" + self.revoked, "--check_revoked"), "certificate revoked"),
            (self.ca, "good", ("--check_revoked",), "unable to get certificate CRL"),
        ]
        for ca, name, flags, complaint in table:
            with self.subTest(name, flags=flags), Server(ca, name) as server:
                status, out, err = self.get(server.address, *flags)
                if not complaint:
                    self.assertEqual((status, err), (0, ""))
                    self.assertIn("GET / HTTP/1.0", out)
                    continue
                self.assertEqual((status, out), (1, ""))
                self.assertRegex(err, "^tls: UNAUTHENTICATED: tls: certificate verify failed: %s\n$" % complaint)
                self.assertRegex(server.stop()[1], "^tls: ABORTED: tls: [^\n]*alert [^\n]*\n$", "the other side is told")

    def test_client_needs_a_certificate_if_the_server_says_so(self):
        mine = ("--cert", self.ca.path("good.pem"), "--key", self.ca.path("good.key"))
        others = ("--cert", self.other.path("good.pem"), "--key", self.other.path("good.key"))
        expired = ("--cert", self.ca.path("expired.pem"), "--key", self.ca.path("expired.key"))
        for words, complaint in ((mine, ""), ((), "ABORTED: .*: peer did not return a certificate"),
                                 (others, "UNAUTHENTICATED: .*: unable to get local issuer certificate"),
                                 (expired, "UNAUTHENTICATED: .*: certificate has expired")):
            for version in ("1.2", "1.3"):
                with self.subTest(complaint, version=version), Server(self.ca, "good", "--ca=" + self.ca.path("ca.pem")) as server:
                    status, out, err = self.curl(server, "--tlsv" + version, "--tls-max", version, *words)
                    if complaint:
                        self.assertNotEqual((status, out), (0, "GET /page HTTP/1.1\n"))
                        self.assertRegex(server.stop()[1], "^tls: %s\n$" % complaint)
                    else:
                        self.assertEqual((status, out, err), (0, "GET /page HTTP/1.1\n", ""))

    def test_server_tells_a_cut_stream_from_an_end(self):
        with Server(self.ca, "good") as server:
            whole = self.python_client(server)
            whole.sendall(REQUEST)
            self.assertIn(b"200 OK", whole.recv(1000))
            whole.unwrap()
            whole.close()
            cut = self.python_client(server)
            cut.sendall(REQUEST)
            self.assertIn(b"200 OK", cut.recv(1000))
            cut.close()  # without a farewell
            self.assertEqual(self.curl(server)[0], 0)
            plain = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
            plain.sendall(REQUEST)
            self.assertNotIn(b"200 OK", plain.recv(1000))
            plain.close()
            self.assertRegex(server.stop()[1], "^tls: OUT_OF_RANGE: tls: the stream was cut\ntls: ABORTED: [^\n]*: http request\n$")

    def test_client_tells_a_cut_stream_from_an_end(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca.path("good.pem"), self.ca.path("good.key"))
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def serve():
                for farewell in (True, False):
                    peer = context.wrap_socket(listener.accept()[0], server_side=True)
                    while not peer.recv(1000).endswith(b"\r\n\r\n"):
                        pass
                    peer.sendall(b"half")
                    if farewell:
                        peer.unwrap()
                    else:
                        peer.shutdown(socket.SHUT_WR)
                        while peer.recv(1000):  # not TLS's any more: what else the client sends
                            pass
                    peer.close()

            server = threading.Thread(target=serve)
            server.start()
            address = "127.0.0.1:%d" % listener.getsockname()[1]
            self.assertEqual(self.get(address), (0, "half", ""))
            status, out, err = self.get(address)
            server.join()
            self.assertEqual(status, 1)
            self.assertRegex(err, "^tls: OUT_OF_RANGE: tls: the stream was cut\n$")

    def test_ends_by_signal_and_by_time(self):
        with Server(self.ca, "good", "--seconds=0.2") as server, socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as idle:
            self.assertEqual(idle.recv(1), b"", "no handshake came")
            self.assertRegex(server.stop()[1], "^tls: DEADLINE_EXCEEDED: [^\n]*: context deadline exceeded\n$")
        with Server(self.ca, "good") as server:
            client = self.python_client(server)
            client.sendall(REQUEST)  # its handshake is over before the server's
            while not client.recv(1000).endswith(b"GET / HTTP/1.0\n"):
                pass
            status, errors = server.stop()
            self.assertEqual(status, 0)
            self.assertEqual(client.recv(1), b"", "a farewell")
            client.close()
            self.assertRegex(errors, "^tls: CANCELLED: [^\n]*\n$")

    def test_files_that_are_none(self):
        for flags in (["--cert=/none"], ["--ca=/none"], ["--cert=" + self.ca.path("good.pem"), "--key=" + self.ca.path("expired.key")]):
            status, out, err = run(*UNDER, TLS, *flags, "serve", "127.0.0.1:0")
            self.assertEqual((status, out), (1, ""))
            self.assertRegex(err, "^tls: INVALID_ARGUMENT: tls: [^\n]+\n$")


if __name__ == "__main__":
    TLS = os.path.abspath(sys.argv.pop(1))
    unittest.main()
