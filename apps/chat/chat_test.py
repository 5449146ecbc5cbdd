"""chat from outside, as its clients see it.

chat_test.py CHAT
"""

import os
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest

from apps.tls.certificates import Authority
from tests.support.program import UNDER, status_of, terminate

CHAT = None
PATIENCE = 60  # seconds, for anything that must happen


class ChatTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.ca = Authority(cls.folder.name + "/ca")
        cls.ca.sign("chat")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def start(self, *flags):
        self.server = subprocess.Popen(
            UNDER + [CHAT, "--cert=" + self.ca.path("chat.pem"), "--key=" + self.ca.path("chat.key")] + list(flags),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.kill)
        line = self.server.stdout.readline().decode()
        self.assertRegex(line, r"^listening on 127\.0\.0\.1:\d+\n$")
        self.port = int(line.rpartition(":")[2])

    def kill(self):
        if self.server.poll() is None:
            self.server.kill()
            self.server.communicate()

    def stop(self):
        """Its status, and what it has complained of."""
        terminate(self.server, CHAT)
        errors = self.server.communicate(timeout=PATIENCE)[1].decode()
        return status_of(self.server, CHAT, PATIENCE), errors

    def client(self, name=None):
        context = ssl.create_default_context(cafile=self.ca.path("ca.pem"))
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        client = context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False)
        self.addCleanup(client.close)
        client.lines = client.makefile("r")
        self.addCleanup(client.lines.close)
        if name:
            self.say(client, name)
            self.assertEqual(client.lines.readline(), "* %s enters lobby\n" % name)
        return client

    def say(self, client, line):
        client.sendall(line.encode() + b"\n")

    def expect(self, client, *lines):
        for line in lines:
            self.assertEqual(client.lines.readline(), line + "\n" if line else "")

    def test_what_is_said_stays_in_its_room(self):
        self.start()
        ann, bob = self.client("ann"), self.client("bob")
        self.expect(ann, "* bob enters lobby")
        cat = self.client("cat")
        for c in (ann, bob):
            self.expect(c, "* cat enters lobby")
        self.say(bob, "/join attic")
        self.expect(bob, "* bob enters attic")
        for c in (ann, cat):
            self.expect(c, "* bob leaves")
        self.say(bob, "nobody here?")
        self.expect(bob, "bob: nobody here?")
        self.say(ann, "hello")
        for c in (ann, cat):
            self.expect(c, "ann: hello")
        self.say(bob, "/who")
        self.expect(bob, "* in attic: bob")
        self.say(cat, "/quit")
        self.expect(cat, "")  # the end, with a farewell
        self.expect(ann, "* cat leaves")
        self.assertEqual(self.stop(), (0, ""))
        self.expect(ann, "")
        self.expect(bob, "")

    def test_a_name_is_one_members_in_a_room(self):
        self.start()
        ann = self.client("ann")
        other = self.client()
        self.say(other, "ann")
        self.expect(other, "* somebody has this name", "")
        bob = self.client("bob")
        self.say(bob, "/join attic")
        self.expect(bob, "* bob enters attic")
        self.expect(ann, "* bob enters lobby", "* bob leaves")
        second = self.client("bob")
        self.say(second, "/join attic")
        self.expect(second, "* somebody in attic has your name")
        self.say(second, "here")
        self.expect(second, "bob: here")
        self.assertRegex(self.stop()[1], "^chat: ALREADY_EXISTS: [^\n]*\n$")

    def test_all_members_see_the_same_order(self):
        self.start()
        members = [self.client("m%d" % i) for i in range(8)]
        for i, m in enumerate(members):
            self.expect(m, *["* m%d enters lobby" % k for k in range(i + 1, 8)])
        for k in range(10):
            for i, m in enumerate(members):
                self.say(m, str(k))
        seen = [[m.lines.readline() for _ in range(80)] for m in members]
        for lines in seen:
            self.assertEqual(lines, seen[0])
        for i in range(8):
            self.assertEqual([l for l in seen[0] if l.startswith("m%d:" % i)], ["m%d: %d\n" % (i, k) for k in range(10)])
        self.assertEqual(self.stop(), (0, ""))

    def test_one_who_does_not_read_is_shown_out_and_nobody_waits(self):
        self.start()
        deaf = self.client("deaf")
        ann = self.client("ann")
        line = "x" * 1000
        said = left = 0
        while not left:
            self.say(ann, line)
            said += 1
            self.assertLess(said, 100000)
            answer = ann.lines.readline()
            left = answer == "* deaf leaves\n"
            if left:
                answer = ann.lines.readline()
            self.assertEqual(answer, "ann: %s\n" % line)
        try:
            while deaf.recv(1 << 16):
                pass
        except ssl.SSLError:
            pass  # cut off in the middle of a line: no farewell
        self.assertRegex(self.stop()[1], "^chat: RESOURCE_EXHAUSTED: deaf does not read\n$")

    def test_one_who_vanishes_leaves(self):
        self.start("--hello_seconds=0.2")
        ann = self.client("ann")
        gone = self.client("gone")
        self.expect(ann, "* gone enters lobby")
        gone.lines.close()
        gone.close()
        self.expect(ann, "* gone leaves")
        silent = self.client()
        self.expect(silent, "")
        self.say(ann, "y" * 2000)
        self.expect(ann, "")
        errors = self.stop()[1]
        for complaint in ("OUT_OF_RANGE: tls: the stream was cut", "DEADLINE_EXCEEDED: ", "OUT_OF_RANGE: line longer than 1024 bytes"):
            self.assertIn("chat: " + complaint, errors)


if __name__ == "__main__":
    CHAT = os.path.abspath(sys.argv.pop(1))
    unittest.main()
