"""Runs the unittest tests of a folder and counts them for ./dev: FOLDER REPORT.

A program in a file, not a script on standard input: tests that start processes by
multiprocessing's "spawn" need a main module that the child can load again.
"""

import sys
import unittest


def main(folder: str, report_path: str) -> int:
    tests = unittest.defaultTestLoader.discover(folder)
    result = unittest.TextTestRunner().run(tests)
    bad = len(result.failures + result.errors + result.unexpectedSuccesses)
    out = len(result.skipped)
    with open(report_path, "w") as report:
        print(result.testsRun - bad - out, bad, out, file=report)
        for test, reason in result.skipped:
            print(f"         skipped {test}: {reason}", file=report)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
