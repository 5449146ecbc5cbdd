"""The check of lock ranks finds what it is there to find."""

import unittest

from tools.checks import ranks
from tools.checks.testing import run

BEGIN = "<!-- begin locks: written by tools/lint --write -->\n"
END = "<!-- end locks -->\n"

TREE = {
    "docs/deps.txt": "lock:\nproc: lock\nsync: proc\n",
    "lock/lock_rank.txt": "timers < sched\n",
    "lock/mutex.h": "namespace gort::rt {\nclass LockGuard {\n  Mutex mu_;\n};\n}\n",
    "lock/README.md": "# lock\n" + BEGIN + """
| rank | lock | in |
|---|---|---|
| `timers` | `timers_lock` | `sync/m.h` |
| `sched` | `Sched::lock` | `proc/sched.h` |
| `none` | `mu` | `proc/a.cc` |

""" + END,
    "proc/sched.h": """\
namespace gort::rt {
struct alignas(64) Sched {
  alignas(64) Mutex lock{LockRank::kSched};
};
}
""",
    "proc/a.cc": "namespace gort::rt {\nconstinit Mutex mu;  // not ranked: taken with no other lock held\n}\n",
    "proc/a_test.cc": "namespace gort::rt {\nMutex of_a_test;\n}\n",
    "sync/m.h": """\
namespace gort {
class Mutex {};
Mutex users;
rt::Mutex timers_lock{rt::LockRank::kTimers};
}
""",
}


class RanksTest(unittest.TestCase):

    def assert_finds(self, text, path, old, new):
        self.assertIn(old, TREE[path])
        errors = run(ranks.check, {**TREE, path: TREE[path].replace(old, new)})
        self.assertTrue(any(text in e for e in errors), errors)

    def test_good_tree(self):
        self.assertEqual(run(ranks.check, TREE), [])

    def test_rank_without_a_lock(self):
        self.assert_finds("no lock has rank boot", "lock/lock_rank.txt", "timers <", "timers boot <")
        self.assert_finds("no lock has rank timers", "sync/m.h", "rt::Mutex timers_lock", "// rt::Mutex timers_lock")

    def test_lock_of_a_rank_that_is_not_there(self):
        self.assert_finds("has rank allg, which", "proc/sched.h", "kSched", "kAllg")

    def test_lock_without_a_rank(self):
        self.assert_finds("proc/a.cc:2: mu has no rank", "proc/a.cc", "not ranked: taken", "taken")
        self.assert_finds("timers_lock has no rank", "sync/m.h", "{rt::LockRank::kTimers}", "")
        self.assert_finds("Sched::lock has no rank", "proc/sched.h", "{LockRank::kSched}", " ABSL_GUARDED_BY(x)")

    def test_table(self):
        self.assert_finds("out of step", "lock/README.md", "`Sched::lock`", "`Sched::mu`")
        self.assert_finds("no markers of the part", "lock/README.md", END, "")


if __name__ == "__main__":
    unittest.main()
