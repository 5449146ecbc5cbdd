"""The text of the metrics, read by Prometheus's own client library and by promtool where that is installed.

exposition_test.py PROGRAM README
"""

import math
import os
import re
import shutil
import subprocess
import sys
import unittest

from tests.support.program import UNDER

try:
    from prometheus_client.parser import text_string_to_metric_families
except ImportError:
    text_string_to_metric_families = None

PROGRAM = README = None


class ExpositionTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.text = cls.run_it()

    @staticmethod
    def run_it(*words, **environment):
        run = subprocess.run(UNDER + [PROGRAM, *words], env=dict(os.environ, **environment), stdout=subprocess.PIPE, check=True)
        return run.stdout.decode()

    def families(self):
        if text_string_to_metric_families is None:
            self.skipTest("python3-prometheus-client is not installed")
        return list(text_string_to_metric_families(self.text))

    def test_each_family_has_a_kind_a_help_and_samples(self):
        families = self.families()
        for family in families:
            self.assertIn(family.type, ("gauge", "counter", "histogram"), family.name)
            self.assertTrue(family.documentation.endswith("."), family.name)
            self.assertTrue(family.samples, family.name)
            for sample in family.samples:
                self.assertFalse(math.isnan(sample.value), sample)
                self.assertTrue(sample.value >= 0, sample)
        self.assertEqual(len({family.name for family in families}), len(families))

    def test_values_are_those_of_the_script(self):
        values = {(s.name, *s.labels.values()): s.value for f in self.families() for s in f.samples}
        self.assertEqual(values["gort_goroutines_created_total",], 1000 + self.own_goroutines(values))
        self.assertEqual(values["gort_gomaxprocs",], 3)
        self.assertEqual(values["gort_gomaxprocs_reason", "program"], 1)
        self.assertEqual(values["gort_world_stop_seconds_count",], values["gort_world_stops_total",])
        self.assertGreaterEqual(values["gort_time_to_run_seconds_count",], 2000 // 256)

    @staticmethod
    def own_goroutines(values):
        """main, and the runtime's."""
        return 1 + values["gort_system_goroutines",]

    def test_gomaxprocs_has_its_reason(self):
        for words, environment, reason in (((), {}, "program"), (("as_it_is",), {"GOMAXPROCS": "2"}, "environment"),
                                           (("as_it_is",), {"GOMAXPROCS": ""}, "(cpus|quota)")):
            text = self.run_it(*words, **environment)
            self.assertEqual(len(re.findall('^gort_gomaxprocs_reason{reason="%s"} 1$' % reason, text, re.MULTILINE)), 1)
            self.assertEqual(len(re.findall("^gort_gomaxprocs_reason{.*} 1$", text, re.MULTILINE)), 1)

    def test_histograms_add_up(self):
        histograms = [family for family in self.families() if family.type == "histogram"]
        self.assertEqual(len(histograms), 2)
        for family in histograms:
            buckets = [(float(s.labels["le"]), s.value) for s in family.samples if s.name == family.name + "_bucket"]
            self.assertEqual(buckets, sorted(buckets), "ends and counts do not go down")
            self.assertEqual(buckets[-1][0], math.inf)
            count, = (s.value for s in family.samples if s.name == family.name + "_count")
            total, = (s.value for s in family.samples if s.name == family.name + "_sum")
            self.assertEqual(buckets[-1][1], count)
            self.assertGreater(total, 0)
            ends = [0] + [end for end, _ in buckets]
            below = [0] + [n for _, n in buckets]
            least = sum((below[i + 1] - below[i]) * ends[i] for i in range(len(buckets)))
            self.assertGreaterEqual(total, least)

    def test_the_document_has_each_name_and_kind(self):
        with open(README, encoding="utf-8") as f:
            rows = [line.split("|") for line in f if line.startswith("| `gort_")]
        documented = {name: row[2].strip() for row in rows for name in re.findall("`(gort_[a-z_]+)`", row[1])}
        kinds = dict(re.findall("^# TYPE ([a-z_]+) ([a-z]+)$", self.text, re.MULTILINE))
        self.assertEqual(documented, kinds)

    def test_promtool_has_nothing_to_say(self):
        if shutil.which("promtool") is None:
            self.skipTest("promtool is not installed")
        run = subprocess.run(["promtool", "check", "metrics"], input=self.text.encode(), capture_output=True, check=False)
        self.assertEqual((run.returncode, run.stderr), (0, b""))


if __name__ == "__main__":
    README = sys.argv.pop(2)
    PROGRAM = sys.argv.pop(1)
    unittest.main(verbosity=2)
