"""lock_rank.gen.h and docs/img/lock_rank.dot are what tools/mklockrank.py makes of lock_rank.txt."""
import os
import subprocess
import sys
import tempfile
import unittest

GENERATOR = "tools/mklockrank.py"
ORDER = "lock/lock_rank.txt"


def generate(*args):
    return subprocess.run(
        [sys.executable, GENERATOR] + list(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def header_of(text):
    with tempfile.NamedTemporaryFile("w", dir=os.environ.get("TEST_TMPDIR"), suffix=".txt") as f:
        f.write(text)
        f.flush()
        return generate(f.name, "-")


def read(path):
    with open(path) as f:
        return f.read()


class CheckedInFiles(unittest.TestCase):
    maxDiff = None

    def test_header_is_the_generators(self):
        want = generate(ORDER, "-")
        self.assertEqual(want.returncode, 0, want.stderr)
        self.assertEqual(read("lock/lock_rank.gen.h"), want.stdout,
                         "run tools/mklockrank.py lock/lock_rank.txt lock/lock_rank.gen.h")

    def test_picture_is_the_generators(self):
        want = generate("-dot", ORDER, "-")
        self.assertEqual(want.returncode, 0, want.stderr)
        self.assertEqual(read("docs/img/lock_rank.dot"), want.stdout,
                         "run tools/mklockrank.py -dot lock/lock_rank.txt docs/img/lock_rank.dot")


class Generator(unittest.TestCase):

    def test_relation_is_transitive(self):
        out = header_of("a < b\nb < c d\nself d\n").stdout
        # Bits: none 1, a 2, b 4, c 8, d 16.
        self.assertIn("  0x1,  // a\n  0x3,  // b\n  0x7,  // c\n  0x17,  // d\n", out)

    def test_a_line_may_hold_a_chain(self):
        self.assertEqual(header_of("a < b < c\n").stdout, header_of("a < b\nb < c\n").stdout)

    def test_enum_is_topological_whatever_the_order_of_lines(self):
        out = header_of("b < c\na < b\n").stdout
        self.assertLess(out.index("kA,"), out.index("kB,"))
        self.assertLess(out.index("kB,"), out.index("kC,"))

    def test_comments_and_empty_lines_do_not_count(self):
        self.assertEqual(header_of("# x < y\n\na < b  # c\n").stdout, header_of("a < b\n").stdout)

    def test_names_become_constants(self):
        self.assertIn("kStackLarge,", header_of("stack_large < b\n").stdout)

    def assert_refused(self, text, why):
        result = header_of(text)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(why, result.stderr)
        self.assertNotIn("Traceback", result.stderr)

    def test_cycles_are_refused(self):
        self.assert_refused("a < b\nb < c\nc < a\n", "the order has a cycle through a")
        self.assert_refused("a < a\n", "the order has a cycle through a")

    def test_nonsense_is_refused(self):
        self.assert_refused("a b\n", "line 1")
        self.assert_refused("a < b\na <\n", "line 2")
        self.assert_refused("a < B\n", "lower case")
        self.assert_refused("a < b\nself c\n", "unknown rank c")

    def test_more_ranks_than_bits_are_refused(self):
        ranks = " ".join("r%d" % i for i in range(63))
        self.assert_refused("a < %s\n" % ranks, "more than 63 ranks")


if __name__ == "__main__":
    unittest.main()
