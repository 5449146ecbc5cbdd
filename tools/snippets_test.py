"""snippets.py takes out of a document what the compiler shall see, and nothing else."""

import unittest

from tools import snippets

DOCUMENT = """\
# Page

```cpp program=server
#include <cstdio>
int main() {}
```

```cpp top
#include <string>
int Twice(int n) { return 2 * n; }
```

```cpp
std::printf("%d\\n", Twice(4));
```
```text
8
```

Not its output:

```cpp
Twice(1);
```

And this is said in between.

```text
no
```

```sh
tools/run
```
"""


class SnippetsTest(unittest.TestCase):

    def test_program(self):
        self.assertEqual(snippets.program(DOCUMENT, "server"), "#include <cstdio>\nint main() {}\n")
        with self.assertRaises(LookupError):
            snippets.program(DOCUMENT, "client")

    def test_tests(self):
        text = snippets.tests(DOCUMENT, "docs/page.md")
        self.assertEqual(text.count("TEST("), 2)
        self.assertNotIn("int main", text)
        self.assertNotIn("tools/run", text)
        self.assertLess(text.index("#include <string>"), text.index("namespace {"))
        self.assertLess(text.index("int Twice"), text.index("TEST(Document, Line14)"))
        self.assertIn('#line 14 "docs/page.md"\nstd::printf("%d\\n", Twice(4));\n  }), R"__(8\n)__");', text)
        self.assertIn('Twice(1);\n  }), R"__()__");', text)

    def test_unknown_kind(self):
        with self.assertRaises(LookupError):
            snippets.tests("```cpp body\nint i;\n```\n", "page.md")


if __name__ == "__main__":
    unittest.main()
