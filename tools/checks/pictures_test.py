"""The check of pictures finds what the sources do not say."""

import os
import tempfile
import unittest

from tools.checks import pictures
from tools.checks.testing import fill

STATUS = """\
enum GStatus : uint32_t {
  kGIdle = 0,
  kGRunnable = 1,
  kGRunning = 2,
};
constexpr uint32_t kLegal[3] = {
    0,                // from idle
    bit(kGRunning),   // runnable
    bit(kGRunnable),  // running
};
"""
TREE = {
    "docs/deps.txt": "gmp:\nproc: gmp\n",
    "gmp/status.h": STATUS,
    "gmp/p.h": "inline constexpr uint32_t kSize = 4;\ninline constexpr size_t kBytes = size_t{GORT_ASAN ? 8 : 2 * kSize} << 10;\n// Says a word.\n",
    "proc/park.cc": "void Yield(G* gp) {\n  CasGStatus(gp, kGRunning, kGRunnable);\n}\n\nG* Tie(M* mp,\n       G* gp)\n    REQUIRES(x) {\n"
                    "  if (a) CasGStatus(gp, kGRunnable, kGRunning);\n}\n",
}
STATES = "title T\nsize 10 10\nstates gmp/status.h\nbox runnable 0 0 9 9: a\nbox running 0 0 9 9: b\narrow runnable running: *\n"
BACK = "arrow running runnable: *\n"


class PicturesTest(unittest.TestCase):

    def drawn(self, text, **changed):
        """(errors before, errors after, the picture) of writing a picture with this description."""
        with tempfile.TemporaryDirectory() as root:
            fill(root, {**TREE, **changed, "docs/img/a.picture": text})
            before = pictures.check(root)
            pictures.write(root)
            path = os.path.join(root, "docs/img/a.svg")
            picture = ""
            if os.path.exists(path):
                with open(path, encoding="utf-8") as f:
                    picture = f.read()
            return before, pictures.check(root), picture

    def assert_wrong(self, error, text, **changed):
        _, after, _ = self.drawn(text, **changed)
        self.assertEqual(after, ["docs/img/a.picture: " + error])

    def test_a_picture_that_was_not_drawn_anew_is_found(self):
        before, after, _ = self.drawn(STATES + BACK)
        self.assertEqual(len(before), 1)
        self.assertEqual(after, [])

    def test_arrows_have_the_functions_of_the_sources(self):
        _, _, picture = self.drawn(STATES + BACK)
        self.assertIn(">Yield<", picture)
        self.assertIn(">Tie<", picture)

    def test_a_transition_that_is_not_drawn_or_not_legal_is_found(self):
        self.assert_wrong("the arrows are not the legal transitions: [('running', 'runnable')]", STATES)
        self.assert_wrong("the arrows are not the legal transitions: [('idle', 'running')]",
                          STATES + BACK + "box idle 0 0 1 1: i\narrow idle running: *\n")

    def test_a_move_that_is_not_legal_is_found(self):
        moved = {"proc/m.cc": "void F() {\n  CasGStatus(gp, kGIdle, kGRunning);\n}\n"}
        self.assert_wrong("moves that are not legal: [('idle', 'running')]", STATES + BACK, **moved)

    def test_code_stands_in_a_file_outside_comments(self):
        self.drawn("title T\nsize 1 1\nin proc/park.cc: Yield\nnote 0 0: `Yield`\n")
        self.assert_wrong("`Yield`: no file is named for Yield", "title T\nsize 1 1\nnote 0 0: `Yield`\n")
        self.assert_wrong("gmp/p.h says nothing of word", "title T\nsize 1 1\nin gmp/p.h: word\n")
        self.assert_wrong("no such file: gmp/q.h", "title T\nsize 1 1\nin gmp/q.h: word\n")

    def test_values_are_those_of_the_constants(self):
        _, _, picture = self.drawn("title T\nsize 1 1\nnote 0 0: {kSize gmp/p.h}, {kBytes gmp/p.h bytes}.\n")
        self.assertIn(">4, 8 KiB.<", picture)
        self.assert_wrong("gmp/p.h has no constant kNone", "title T\nsize 1 1\nnote 0 0: {kNone gmp/p.h}\n")

    def test_an_arrow_needs_its_boxes(self):
        self.assert_wrong("no box b", "title T\nsize 1 1\nbox a 0 0 1 1: a\narrow a b:\n")


if __name__ == "__main__":
    unittest.main()
