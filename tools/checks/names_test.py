"""check_names reads tags as it should, and docs/go_names.md is in step with the comments."""

import unittest

from tools.checks import names

HEADER = """\
// proc/runq.h: the local run queue of one P.
// Layer     6.                                   Go: runq* in proc.go
// Invariant a G is in at most one queue.
#ifndef X
#define X

// Puts gp on the queue, and runs on
// for two lines. Go: runqput (proc.go)
template <class T>
GORT_ALWAYS_INLINE void RunqPut(P* pp, G* gp);

// The difference to Go: none here.
int NoTag();

class ABSL_LOCKABLE Mutex {
 public:
  // Waits. Go: lock2
  // (lock_futex.go); differs: no M.
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION();
};

// Go: m0, g0.
extern M m0;
int both;  // a variable. Go: both
"""


class EntriesTest(unittest.TestCase):

    def test_tags(self):
        self.assertEqual(
            list(names.entries("proc/runq.h", HEADER)), [
                (["runq*"], "proc.go", ""),
                (["runqput"], "proc.go", "RunqPut"),
                (["lock2"], "lock_futex.go; differs: no M", "Mutex::Lock"),
                (["m0", "g0"], "", "m0"),
                (["both"], "", "both"),
            ])

    def test_tag_without_a_declaration(self):
        self.assertEqual(list(names.entries("a.cc", "int i;\n// Go: nowhere\n")), [(["nowhere"], "", None)])


if __name__ == "__main__":
    unittest.main()
