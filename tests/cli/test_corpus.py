"""The recorded conversations beside the checkout, through the command line."""

from __future__ import annotations

import json
import subprocess
import sys
import unittest

from program import PROGRAM, ROOT, ProgramTest, Result

CORPUS = ROOT.parent / "shared/corpus/make_events.py"
TIMEOUT_S = 900


@unittest.skipUnless(CORPUS.exists(), f"{CORPUS} is absent")
class Corpus(ProgramTest):
    def test_all_of_it_is_recorded(self) -> None:
        with subprocess.Popen(
            [sys.executable, str(CORPUS), "all", "--stats"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as source:
            imported = Result(
                subprocess.run(
                    [PROGRAM, "import", "all.tl", "-"],
                    stdin=source.stdout,
                    capture_output=True,
                    cwd=self.folder,
                    env=self.environment(),
                    timeout=TIMEOUT_S,
                    check=False,
                )
            )
            assert source.stdout is not None and source.stderr is not None
            source.stdout.close()
            told = source.stderr.read().decode()
        self.assertEqual(0, imported.code, imported.err)
        self.assertEqual(["all.tl"], self.files())
        self.check_counts(imported, told)
        self.assertEqual("ok\n", self.succeed("check", "all.tl").out)
        self.check_reading()

    def check_counts(self, imported: Result, told: str) -> None:
        counts = json.loads(told)
        events = sum(count for name, count in counts.items() if name.endswith("-create"))
        self.assertEqual(
            f"{events:,} events: {events:,} succeeded, 0 of them with warnings, 0 failed\n",
            imported.out,
        )
        stats = self.succeed("stats", "all.tl", "--json").row()
        observations = sum(
            counts.get(name, 0) for name in ["generation-create", "span-create", "event-create"]
        )
        self.assertEqual(
            (counts["trace-create"], observations, counts["score-create"]),
            (stats["traces"], stats["observations"], stats["scores"]),
        )
        self.assertEqual(0, sum(stats["counters"].values()))
        self.assertEqual(stats["sessions"], len(self.rows("sessions", "all.tl")))
        self.assertEqual(stats["users"], len(self.rows("users", "all.tl")))

    def check_reading(self) -> None:
        sessions = self.rows("sessions", "all.tl")
        for session in sessions[:: max(1, len(sessions) // 5)]:
            steps = self.rows("replay", "all.tl", session["id"])
            begun = {step["trace"]["id"] for step in steps if "trace" in step}
            self.assertEqual(session["countTraces"], len(begun))
        trace = self.rows("traces", "all.tl", "--order", "tokens", "--limit", "1")[0]
        tree = self.succeed("trace", "all.tl", trace["id"], "--json").row()
        self.assertEqual(trace["countObservations"], len(tree["observations"]))


if __name__ == "__main__":
    unittest.main()
