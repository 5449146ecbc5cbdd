"""Copies sources with the mistakes of sched_mutants.txt in them, each behind a switch, and writes the table of the mistakes.

Usage: mutate.py sched_mutants.txt SOURCE... TABLE OUT...    as many OUTs as SOURCEs, in the same order
"""

import re
import sys

SPACE = r"(?:\s|//[^\n]*\n)"


class Mutant:
    def __init__(self, header):
        self.name, self.file, self.scenario, self.failure = header.split(None, 3)
        self.old = ""
        self.new = ""


def parse(text):
    mutants = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("- "):
            mutants[-1].old += line[2:] + "\n"
        elif line.startswith("+ "):
            mutants[-1].new += line[2:] + "\n"
        elif len(line.split(None, 3)) == 4:
            mutants.append(Mutant(line))
        else:
            raise ValueError("line %d: neither a name, a file, a scenario and a failure, nor a text" % number)
    return mutants


def pattern(text):
    """A regular expression for text, whatever the spaces, line ends and comments in it."""
    return (SPACE + "+").join(re.escape(word) for word in text.split())


def switched(mutant, index):
    """A function for re.sub: the old code and the new one, of which `mutant` chooses."""
    new = mutant.new.strip()

    def replace(match):
        before, old, after = match.group(1), match.group(2), match.group(3)
        if old.endswith(";"):
            both = "if (::gort::rt::model::mutant == %d) { %s } else { %s }" % (index, new, old)
        else:
            both = "(::gort::rt::model::mutant == %d ? (%s) : (%s))" % (index, new, old)
        return before + both + after

    return replace


def apply(mutants, file, text):
    for index, mutant in enumerate(mutants):
        if mutant.file != file:
            continue
        before, _, rest = mutant.old.rpartition("[[") if "[[" in mutant.old else ("", "", mutant.old)
        old, _, after = rest.partition("]]")
        whole = "(%s%s*)(%s)(%s*%s)" % (pattern(before), SPACE, pattern(old), SPACE, pattern(after))
        text, n = re.subn(whole, switched(mutant, index), text)
        if n != 1:
            raise ValueError("%s: its text occurs %d times in %s" % (mutant.name, n, file))
    return '#include "gort/tests/model/mutant.h"\n' + text


def table(mutants):
    return "".join('{"%s", "%s", "%s"},\n' % (m.name, m.scenario, m.failure) for m in mutants)


def main(args):
    with open(args[0], encoding="utf-8") as f:
        mutants = parse(f.read())
    half = len(args) // 2
    sources, outs = args[1:half], args[half + 1 :]
    with open(args[half], "w", encoding="utf-8") as f:
        f.write(table(mutants))
    files = [source.replace("/internal/", "/").split("/") for source in sources]
    files = ["/".join(parts[-2:]) for parts in files]
    for source, file, out in zip(sources, files, outs):
        with open(source, encoding="utf-8") as f:
            text = f.read()
        with open(out, "w", encoding="utf-8") as f:
            f.write(apply(mutants, file, text))
    unused = {m.file for m in mutants} - set(files)
    if unused:
        raise ValueError("mistakes in files that are not built: %s" % ", ".join(sorted(unused)))


if __name__ == "__main__":
    main(sys.argv[1:])
