"""The commands in documents that run a program of ours by themselves do run, and end well.

A command is a line of a ```sh block: [NAME=VALUE...] bazel-bin/PATH [ARGUMENT...]. That the other lines name programs, targets and files
which are there is tools/checks/links.py's to check.
"""

import os
import re
import shlex
import subprocess
import unittest

DOCUMENTS = ("README.md", "docs/guide.md", "docs/HACKING.md")
UNDER = os.environ.get("GORT_RUN_UNDER", "").split()
PATIENCE = 60  # seconds, for anything that must happen


def commands():
    """(environment, words) of each command."""
    for document in DOCUMENTS:
        with open(document, encoding="utf-8") as f:
            text = f.read()
        for block in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            for line in block.split("\n"):
                words = shlex.split(line, comments=True)
                environment = {}
                while words and re.match(r"^\w+=", words[0]):
                    name, _, value = words.pop(0).partition("=")
                    environment[name] = value
                # A server in the background is readme_test's.
                if words and words[0].startswith("bazel-bin/") and words[-1] != "&":
                    yield environment, [words[0][len("bazel-bin/"):]] + words[1:]


class CommandsTest(unittest.TestCase):

    def test_commands(self):
        found = list(commands())
        self.assertGreater(len(found), 2)
        for environment, words in found:
            with self.subTest(environment=environment, words=words):
                # Goroutines that are left when main returns hold memory, on stacks that a leak check does not see.
                environment["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
                result = subprocess.run(UNDER + words, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        timeout=PATIENCE)
                self.assertEqual(result.returncode, 0, result.stderr)
                godebug = environment.get("GODEBUG", "")
                self.assertEqual(b"init schedinit" in result.stderr, "inittrace=1" in godebug, result.stderr)


if __name__ == "__main__":
    unittest.main()
