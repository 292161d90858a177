"""Runs the real program in a folder of its own, for the tests of the command line."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("TRACELITE_PROGRAM", str(ROOT / "build/release/bin/tracelite"))
TIMEOUT_S = 300

Json = dict[str, Any]


class Result:
    """What one run of the program came to."""

    def __init__(self, completed: subprocess.CompletedProcess[bytes]) -> None:
        self.code = completed.returncode
        self.raw = completed.stdout
        # Only media are not text.
        self.out = completed.stdout.decode(errors="surrogateescape")
        self.err = completed.stderr.decode()

    def rows(self) -> list[Json]:
        """Standard output as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    def row(self) -> Json:
        rows = self.rows()
        assert len(rows) == 1, f"one row was expected, not {len(rows)}: {self.out}"
        return rows[0]

    def position(self) -> str:
        """The position that a cut list tells, or "" if it was not cut."""
        for line in self.err.splitlines():
            if line.startswith("more rows: --after "):
                return line.removeprefix("more rows: --after ")
        return ""


class ProgramTest(unittest.TestCase):
    """A test with a folder, where `day.tl` is the usual file."""

    maxDiff = None

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="tracelite-cli-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        cache = tempfile.TemporaryDirectory(prefix="tracelite-cache-")
        self.addCleanup(cache.cleanup)
        self.cache = Path(cache.name)

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "TZ": "UTC",
            "NO_COLOR": "1",
            "XDG_CACHE_HOME": str(self.cache),
        }

    def run_program(self, *arguments: str, stdin: bytes = b"") -> Result:
        return Result(
            subprocess.run(
                [PROGRAM, *arguments],
                input=stdin,
                capture_output=True,
                cwd=self.folder,
                env=self.environment(),
                timeout=TIMEOUT_S,
                check=False,
            )
        )

    def succeed(self, *arguments: str, stdin: bytes = b"") -> Result:
        """Runs a command that must succeed and leave nothing behind but files of its own."""
        result = self.run_program(*arguments, stdin=stdin)
        self.assertEqual(result.code, 0, f"{arguments}: {result.err}{result.out}")
        self.assertEqual([], list(self.folder.glob("*-lock")))
        return result

    def fail_with(self, message: str, *arguments: str, code: int = 1) -> Result:
        """Runs a command that must fail, with a message that holds this one."""
        result = self.run_program(*arguments)
        self.assertEqual(result.code, code, f"{arguments}: {result.err}{result.out}")
        self.assertTrue(result.err.startswith("tracelite: "), result.err)
        self.assertIn(message, result.err)
        self.assertEqual("", result.out)
        return result

    def rows(self, *arguments: str) -> list[Json]:
        return self.succeed(*arguments, "--json").rows()

    def import_lines(self, *lines: Json | str, file: str = "day.tl") -> Result:
        """Imports events that are all good."""
        return self.succeed("import", file, "-", stdin=joined(*lines))

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


def joined(*lines: Json | str) -> bytes:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return ("\n".join(texts) + "\n").encode()


def event(kind: str, body: Json, *, number: int = 0, second: int = 0) -> Json:
    """An ingestion event, at so many seconds after noon."""
    return {
        "id": f"event-{kind}-{body.get('id')}-{number}",
        "timestamp": clock(second),
        "type": kind,
        "body": body,
    }


def clock(second: int, fraction: str = "000") -> str:
    return f"2026-03-01T12:{second // 60:02d}:{second % 60:02d}.{fraction}Z"
