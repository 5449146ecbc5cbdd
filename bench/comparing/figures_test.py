"""Ratios, their spread, and tables of them."""

import unittest

from bench.comparing import figures


def row(unit="ns", failed=(), **values):
    return {"workload": "spawn", "procs": 2, "figure": "ns_per_op", "unit": unit, "values": values, "failed": list(failed)}


class FiguresTest(unittest.TestCase):

    def test_a_ratio_is_that_of_the_medians_and_its_spread_that_of_the_rounds(self):
        self.assertEqual(figures.ratio(row(gort=[1, 2, 4], go=[4, 4, 4]), "gort", "go"), (0.5, 0.25, 1.0))
        self.assertEqual(figures.ratio(row(gort=[2, 8], go=[4, 4]), "go", "gort"), (0.8, 0.5, 2.0))

    def test_there_is_no_ratio_without_two_values_above_zero(self):
        for values in ({"gort": [1]}, {"go": [1]}, {"gort": [1], "go": [0]}, {"gort": [-1], "go": [2]}, {"gort": [], "go": [2]}):
            self.assertIsNone(figures.ratio(row(**values), "gort", "go"), values)

    def test_a_value_has_three_digits_and_no_exponent(self):
        self.assertEqual([figures.text(v) for v in (123456.7, 99.96, 1.2345, 0.05, -1234.0)], ["123457", "100", "1.23", "0.05", "-1234"])

    def test_the_table_has_each_peer_with_its_ratio(self):
        rows = [row(gort=[50, 60, 40], go=[100, 100, 100], tokio=[25, 30, 20]), dict(row(gort=[5], failed=["go"]), procs=0)]
        self.assertEqual(figures.table(rows, ["gort", "go", "tokio"]), [
            ["workload", "procs", "figure", "gort", "go", "gort/go", "spread", "tokio", "gort/tokio", "spread"],
            ["spawn", "2", "ns_per_op", "50 ns", "100 ns", "0.50", "0.40..0.60", "25 ns", "2.00", "2.00..2.00"],
            ["spawn", "-", "ns_per_op", "5 ns", "failed", "-", "-", "-", "-", "-"],
        ])

    def test_markdown_is_aligned(self):
        self.assertEqual(figures.markdown([["a", "bb", "c"], ["dd", "1", "e"]]), "| a  | bb | c |\n|----|---:|---|\n| dd |  1 | e |")


if __name__ == "__main__":
    unittest.main()
