"""The check of GODEBUG's keys and of environment variables finds what it is there to find."""

import os
import tempfile
import unittest

from tools.checks import knobs
from tools.checks.testing import run

BEGIN = "<!-- begin knobs: written by tools/lint --write -->\n"
END = "<!-- end knobs -->\n"

TREE = {
    "docs/deps.txt": "base:\nproc: base\n",
    "base/godebug_keys.h": """\
// X(name, maximum, meaning): not a row.
#define GORT_GODEBUG_KEYS(X)     \\
  X(trace, 1'000, "prints a "    \\
                  "line")        \\
  X(seed, INT64_MAX,             \\
    "(a) seed")
""",
    "base/godebug.cc": "int max = godebug.trace;",
    "proc/a.cc": """\
// Environment: settings,
// by commas.
const char* text = getenv("GODEBUG");
if (godebug.seed == 1) {}
""",
    "proc/testing/b.cc": 'getenv("OF_A_TEST");',
    "README.md": "# x\n" + BEGIN + """
| environment variable | meaning |
|---|---|
| `GODEBUG` | settings, by commas. |

| `GODEBUG` key | from 0 to | meaning |
|---|---|---|
| `trace` | 1000 | prints a line |
| `seed` | 2^63 - 1 | (a) seed |

""" + END + "rest\n",
}


class KnobsTest(unittest.TestCase):

    def assert_finds(self, text, path, old, new):
        self.assertIn(old, TREE[path])
        errors = run(knobs.check, {**TREE, path: TREE[path].replace(old, new)})
        self.assertTrue(errors)
        self.assertIn(text, errors[0])

    def test_good_tree(self):
        self.assertEqual(run(knobs.check, TREE), [])

    def test_key_that_nothing_reads(self):
        self.assert_finds("nothing reads godebug.trace", "base/godebug.cc", "godebug.trace", "godebug.traces")
        self.assert_finds("nothing reads godebug.trace", "base/godebug.cc", "int max", "// int max")
        self.assert_finds("nothing reads godebug.seed", "proc/a.cc", "if (godebug.seed == 1)", "godebug.seed = 1")

    def test_table(self):
        self.assert_finds("out of step", "base/godebug_keys.h", "1'000", "1'001")
        self.assert_finds("out of step", "proc/a.cc", "settings,", "setting,")
        self.assert_finds("no markers of the part", "README.md", END, "")

    def test_key_that_there_is_not(self):
        errors = run(knobs.check, {**TREE, "proc/README.md": "`GODEBUG=trace=1,sead=2`, `GODEBUG=seed=2`"})
        self.assertEqual(errors, ["proc/README.md: there is no GODEBUG key sead"])
        errors = run(knobs.check, {**TREE, "proc/b.h": "// GODEBUG=gone=1 prints.\n"})
        self.assertEqual(errors, ["proc/b.h: there is no GODEBUG key gone"])

    def test_variable_without_meaning(self):
        errors = run(knobs.check, {**TREE, "base/b.cc": 'x = getenv("NEW");'})
        self.assertIn('getenv("NEW")', errors[0])
        self.assertIn("out of step", errors[1])

    def test_keys_in_another_form(self):
        errors = run(knobs.check, {**TREE, "base/godebug_keys.h": "constexpr Key kKeys[] = {};"})
        self.assertIn("no keys", errors[0])

    def test_write(self):
        with tempfile.TemporaryDirectory() as root:
            for path, text in {**TREE, "README.md": "# x\n" + BEGIN + END + "rest\n"}.items():
                os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                    f.write(text)
            knobs.write(root)
            with open(os.path.join(root, "README.md"), encoding="utf-8") as f:
                self.assertEqual(f.read(), TREE["README.md"])


if __name__ == "__main__":
    unittest.main()
