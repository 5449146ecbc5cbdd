"""A small client of the Redis protocol, for the tests here."""

import socket

PATIENCE = 120  # seconds, for any answer


class Failure(Exception):
    """An error answer."""


class Client:
    """A connection; address: (host, port), or the path of a unix socket."""

    def __init__(self, address):
        if isinstance(address, str):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(PATIENCE)
            self.sock.connect(address)
        else:
            self.sock = socket.create_connection(address, timeout=PATIENCE)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb")

    def send(self, *args):
        parts = [a if isinstance(a, bytes) else str(a).encode() for a in args]
        self.raw(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))

    def raw(self, data):
        self.sock.sendall(data)

    def answer(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError(line)
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise Failure(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"*":
            return [self.answer() for _ in range(int(rest))]
        assert kind == b"$", line
        if rest == b"-1":
            return None
        data = self.file.read(int(rest) + 2)
        if len(data) != int(rest) + 2:
            raise EOFError(data)
        return data[:-2]

    def call(self, *args):
        self.send(*args)
        return self.answer()

    def close(self):
        self.file.close()
        self.sock.close()
