"""snippets.py DOCUMENT NAME | --tests: the C++ of a document, for the compiler. Writes to stdout.

A fenced block of a document begins with one of

    ```cpp program=NAME    a whole program: what NAME prints
    ```cpp top             declarations, which the blocks after it see
    ```cpp                 statements, which a test runs as a goroutine; what they print is in a block ```text right after them

--tests prints one file of GoogleTest with a test for each block of the third kind. #include lines go to its top.
"""

import re
import sys

_FENCE = re.compile(r"^```(\S+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INCLUDE = re.compile(r"^#include .*\n", re.MULTILINE)


class Block:
    """A fenced block: its language, the word after it, the line on which its text begins, and its text."""

    def __init__(self, text, match):
        self.language = match.group(1)
        self.kind = match.group(2).strip()
        self.line = text.count("\n", 0, match.start(3)) + 1
        self.text = match.group(3)
        self.start, self.end = match.start(), match.end()


def blocks(text):
    return [Block(text, m) for m in _FENCE.finditer(text)]


def program(text, name):
    """The text of the program NAME; LookupError if the document has none, or two."""
    found = [b for b in blocks(text) if b.language == "cpp" and b.kind == "program=" + name]
    if len(found) != 1:
        raise LookupError("%d programs of the name %s" % (len(found), name))
    return found[0].text


def tests(text, path):
    """One file with a test for each block of statements."""
    includes = {'#include "gort/docs/output.h"\n', '#include "gtest/gtest.h"\n'}
    body = []
    found = blocks(text)
    for i, block in enumerate(found):
        if block.language != "cpp" or block.kind.startswith("program="):
            continue
        if block.kind not in ("", "top"):
            raise LookupError("%s:%d: a block of the kind %s" % (path, block.line, block.kind))
        includes.update(_INCLUDE.findall(block.text))
        code = '#line %d "%s"\n%s' % (block.line, path, _INCLUDE.sub("\n", block.text))
        if block.kind == "top":
            body.append(code)
            continue
        want = ""
        if i + 1 < len(found) and found[i + 1].language == "text" and not text[block.end:found[i + 1].start].strip():
            want = found[i + 1].text
        body.append('TEST(Document, Line%d) {\n  EXPECT_EQ(gort_docs::Output([] {\n%s  }), R"__(%s)__");\n}\n'
                    % (block.line, code, want))
    return "".join(sorted(includes)) + "\nnamespace {\n\n" + "\n".join(body) + "\n}  // namespace\n"


def main(argv):
    if len(argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    with open(argv[1], encoding="utf-8") as f:
        text = f.read()
    sys.stdout.write(tests(text, argv[1]) if argv[2] == "--tests" else program(text, argv[2]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
