"""What the lock annotations forbid does not compile with clang -Wthread-safety, and the rest does."""
import os
import re
import shutil
import subprocess
import unittest

PROLOGUE = """
#include "gort/lock/mutex.h"
using namespace gort::rt;
struct S {
  Mutex mu;
  int n ABSL_GUARDED_BY(mu) = 0;
  void NeedsLock() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) { ++n; }
};
"""

FORBIDDEN = {
    "access without the lock": "int F(S* s) { return s->n; }",
    "call without the lock": "void F(S* s) { s->NeedsLock(); }",
    "lock left behind": "void F(S* s) { s->mu.Lock(); }",
    "unlock of what is not held": "void F(S* s) { s->mu.Unlock(); }",
    "lock taken twice": "void F(S* s) { LockGuard a(&s->mu); LockGuard b(&s->mu); }",
    "result of TryLock ignored": "void F(S* s) { (void)s->mu.TryLock(); ++s->n; }",
}

ALLOWED = """
int Guarded(S* s) { LockGuard guard(&s->mu); s->NeedsLock(); return s->n; }
bool Tried(S* s) { if (!s->mu.TryLock()) return false; ++s->n; s->mu.Unlock(); return true; }
void Asserted(S* s) { s->mu.AssertHeld(); ++s->n; }
"""


@unittest.skipUnless(shutil.which("clang++"), "the annotations are clang's")
@unittest.skipIf(os.environ.get("GORT_RUN_UNDER"), "the headers are another CPU's")
class Annotations(unittest.TestCase):

    def compile(self, code):
        return subprocess.run(
            ["clang++", "-std=c++20", "-fsyntax-only", "-ferror-limit=0", "-Ibase/_include", "-Iplatforms/_include", "-Ilock/_include",
             "-Wthread-safety", "-Werror", "-xc++", "-"],
            input=PROLOGUE + code, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_correct_use_compiles(self):
        result = self.compile(ALLOWED)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_wrong_use_does_not(self):
        # One function a line, so that the line of a complaint tells which one it is about.
        code = "".join(line.replace(" F(", " F%d(" % i) + "\n" for i, line in enumerate(FORBIDDEN.values()))
        result = self.compile(code)
        self.assertNotEqual(result.returncode, 0)
        refused = set(re.findall(r"<stdin>:(\d+):\d+: error: .*-Wthread-safety", result.stderr))
        first = PROLOGUE.count("\n") + 1
        for number, what in enumerate(FORBIDDEN, first):
            self.assertIn(str(number), refused, what + "\n" + result.stderr)


if __name__ == "__main__":
    unittest.main()
