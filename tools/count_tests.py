"""count_tests.py EVENTS STATUS: "PASSED FAILED" from Bazel's build events (JSON lines) and its exit status.

A test counts once, by target. One that could not be built has failed; one that is not meant for the platform does not count. An
exit status that no failed test explains (a library that does not build, no test found, a crash of Bazel) counts as one failure.
"""

import json
import sys


def count(lines, status):
    """(passed, failed)."""
    tests = set()
    skipped = set()
    result = {}
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # Bazel died while it wrote this line; its status tells.
        identity = event.get("id", {})
        if "targetConfigured" in identity:
            if "_test rule" in event.get("configured", {}).get("targetKind", ""):
                tests.add(identity["targetConfigured"]["label"])
        elif "targetCompleted" in identity:
            if event.get("aborted", {}).get("reason") == "SKIPPED":
                skipped.add(identity["targetCompleted"]["label"])
        elif "testSummary" in identity:
            label = identity["testSummary"]["label"]
            good = event.get("testSummary", {}).get("overallStatus") == "PASSED"
            result[label] = result.get(label, True) and good
    tests |= set(result)
    passed = sum(1 for t in tests if result.get(t))
    failed = len(tests - skipped) - sum(1 for t in tests - skipped if result.get(t))
    if failed == 0 and status != 0:
        failed = 1
    return passed, failed


def main():
    try:
        with open(sys.argv[1]) as f:
            lines = f.readlines()
    except FileNotFoundError:
        lines = []
    print("%d %d" % count(lines, int(sys.argv[2])))


if __name__ == "__main__":
    main()
