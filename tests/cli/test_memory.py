"""That recording takes memory that does not depend on how much is recorded."""

from __future__ import annotations

import subprocess
import sys
import time
import unittest
from pathlib import Path

from program import PROGRAM, ROOT, ProgramTest

CORPUS = ROOT.parent / "shared/corpus/make_events.py"
LIMIT_MIB = 64
SAMPLE_EVERY_S = 0.002


def anonymous_kib(process: int) -> int:
    """What a process has of memory that is not of a file; 0 when it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    return 0


@unittest.skipUnless(CORPUS.exists(), f"{CORPUS} is absent")
@unittest.skipUnless(Path("/proc/self/status").exists(), "there is no /proc")
class Memory(ProgramTest):
    def test_an_import_stays_within_its_limit(self) -> None:
        events = self.folder / "tau2.jsonl"
        with events.open("wb") as file:
            subprocess.run([sys.executable, str(CORPUS), "tau2"], stdout=file, check=True)
        with subprocess.Popen(
            [PROGRAM, "import", "day.tl", str(events)],
            stdout=subprocess.PIPE,
            cwd=self.folder,
            env=self.environment(),
        ) as program:
            peak_kib, sample_count = 0, 0
            while program.poll() is None:
                peak_kib = max(peak_kib, anonymous_kib(program.pid))
                sample_count += 1
                time.sleep(SAMPLE_EVERY_S)
            assert program.stdout is not None
            told = program.stdout.read().decode()
        self.assertIn(" 0 failed", told)
        self.assertGreater(sample_count, 10)
        self.assertLess(peak_kib / 1024, LIMIT_MIB)


if __name__ == "__main__":
    unittest.main()
