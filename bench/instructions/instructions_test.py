"""The fast paths take no more instructions than golden.txt says, and what compares them sees it when they do."""

import unittest

from bench.instructions import instructions


def profile(label, total):
    return "version: 1\ndesc: Trigger: Client Request: %s\nevents: Ir\nsummary: %d\n\ntotals: %d\n" % (label, total, total)


class ReadingTest(unittest.TestCase):

    def test_an_operation_is_the_difference_of_the_smallest_totals(self):
        texts = [profile("a 100", 1010), profile("a 200", 2010), profile("a 100", 1500), profile("a 200", 2600), profile("b 10", 7),
                 profile("b 20", 12), "version: 1\ndesc: Trigger: Program termination\ntotals: 5\n"]
        self.assertEqual(instructions.per_operation(texts), {"a": 10.0, "b": 0.5})

    def test_golden_is_read_as_written(self):
        text = instructions.write_golden("gcc 12", {"b": 20.4, "a": 7.0})
        self.assertEqual(instructions.read_golden(text), ("gcc 12", {"a": 7, "b": 20}))

    def test_growth_beyond_five_percent_is_wrong(self):
        wrong, better = instructions.differences({"a": 100, "b": 100, "c": 100}, {"a": 104.9, "b": 105.1, "c": 94.0})
        self.assertEqual(wrong, ["b: 105.1 instructions, golden 100: +5.1 %"])
        self.assertEqual(better, ["c: 94.0 instructions, golden 100: -6.0 %"])

    def test_each_has_a_golden_and_each_golden_is_counted(self):
        self.assertEqual(instructions.differences({"a": 1}, {"b": 1})[0], ["b: no golden", "a: not counted"])


class InstructionsTest(unittest.TestCase):

    def test_no_fast_path_has_grown(self):
        reason = instructions.why_not()
        if reason:
            self.skipTest(reason)
        with open(instructions.GOLDEN, encoding="utf-8") as f:
            built_by, golden = instructions.read_golden(f.read())
        if instructions.compiler() != built_by:
            self.skipTest("golden.txt has the counts of %s" % built_by)
        wrong, better = instructions.differences(golden, instructions.count())
        for line in better:
            print(line)
        if better:
            print("golden.txt can be lowered: bazel run //bench/instructions:update")
        self.assertEqual(wrong, [], "on purpose? bazel run //bench/instructions:update")


if __name__ == "__main__":
    unittest.main()
