"""count_tests counts as tools/test says it does."""

import json
import unittest

from tools import count_tests


def configured(label, kind="cc_test rule"):
    return json.dumps({"id": {"targetConfigured": {"label": label}}, "configured": {"targetKind": kind}})


def completed(label, **payload):
    return json.dumps({"id": {"targetCompleted": {"label": label}}, **payload})


def summary(label, status):
    return json.dumps({"id": {"testSummary": {"label": label}}, "testSummary": {"overallStatus": status}})


class CountTestsTest(unittest.TestCase):

    def test_passed_and_failed(self):
        lines = [configured("//a"), configured("//b"), configured("//c", "cc_library rule"),
                 summary("//a", "PASSED"), summary("//b", "FAILED")]
        self.assertEqual(count_tests.count(lines, 3), (1, 1))

    def test_not_built(self):
        lines = [configured("//a"), configured("//b"), completed("//a", completed={}),
                 summary("//b", "PASSED")]
        self.assertEqual(count_tests.count(lines, 1), (1, 1))

    def test_not_for_this_platform(self):
        lines = [configured("//a"), configured("//b"), completed("//a", aborted={"reason": "SKIPPED"}),
                 summary("//b", "PASSED")]
        self.assertEqual(count_tests.count(lines, 0), (1, 0))

    def test_library_not_built(self):
        self.assertEqual(count_tests.count([configured("//a"), summary("//a", "PASSED")], 1), (1, 1))

    def test_timeout_and_flaky_fail(self):
        for status in ("TIMEOUT", "FLAKY", "NO_STATUS"):
            self.assertEqual(count_tests.count([configured("//a"), summary("//a", status)], 3), (0, 1))

    def test_nothing_ran(self):
        self.assertEqual(count_tests.count([], 4), (0, 1))

    def test_half_a_line(self):
        self.assertEqual(count_tests.count([summary("//a", "PASSED"), '{"id": {"tes'], 37), (1, 1))


if __name__ == "__main__":
    unittest.main()
