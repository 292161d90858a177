"""Arguments that cannot be meant: each is refused before anything is done, with what would do."""

from __future__ import annotations

import os
import subprocess
import unittest

import day
from program import PROGRAM, TIMEOUT_S, ProgramTest, joined


class OverItself(ProgramTest):
    """A file that is also where a command would write, or what it would read events from."""

    def setUp(self) -> None:
        super().setUp()
        self.import_lines(*day.events())
        (self.folder / "link.tl").symlink_to("day.tl")
        (self.folder / "hard.tl").hardlink_to(self.folder / "day.tl")
        (self.folder / "events.jsonl").write_bytes(joined(*day.events()))
        self.content = (self.folder / "day.tl").read_bytes()

    def refused(self, *arguments: str, flags: int) -> None:
        output = os.open(self.folder / "day.tl", os.O_WRONLY | flags)
        try:
            done = subprocess.run(
                [PROGRAM, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.PIPE,
                cwd=self.folder,
                env=self.environment(),
                timeout=TIMEOUT_S,
                check=False,
            )
        finally:
            os.close(output)
        self.assertEqual(2, done.returncode, done.stderr)
        self.assertIn(b"itself; send standard output to another file", done.stderr)
        self.assertEqual(self.content, (self.folder / "day.tl").read_bytes())

    def test_no_output_goes_into_the_file(self) -> None:
        for name in ["day.tl", "./day.tl", "link.tl", "hard.tl"]:
            for flags in [0, os.O_APPEND]:
                with self.subTest(name=name, flags=flags):
                    self.refused("export", name, flags=flags)
                    self.refused("media", name, "none", flags=flags)
                    self.refused("traces", name, "--trust", flags=flags)
                    self.refused("import", name, "events.jsonl", flags=flags)
                    self.refused("delete", name, "--all", "--yes", flags=flags)
                    self.refused("salvage", name, "new.tl", flags=flags)
        self.assertEqual(["day.tl", "events.jsonl", "hard.tl", "link.tl"], self.files())

    def test_no_copy_goes_over_the_file(self) -> None:
        for name in ["day.tl", "./day.tl", "link.tl", "hard.tl"]:
            self.fail_with("exists already", "backup", "day.tl", name)
            self.fail_with("exists already", "salvage", "day.tl", name)
            self.fail_with("exists already", "demo", name)
        self.assertEqual(self.content, (self.folder / "day.tl").read_bytes())

    def test_a_file_is_not_imported_into_itself(self) -> None:
        for name in ["day.tl", "./day.tl", "link.tl", "hard.tl"]:
            self.fail_with("are the same: day.tl", "import", "day.tl", name, code=2)
        self.assertEqual(self.content, (self.folder / "day.tl").read_bytes())


class Options(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        self.import_lines(*day.events())

    def refused(self, message: str, *arguments: str) -> None:
        with self.subTest(arguments=arguments):
            result = self.fail_with(message, *arguments, code=2)
            self.assertLess(len(result.err), 300)
            self.assertIn(f"see: tracelite {arguments[0]} --help", result.err)

    def test_commands(self) -> None:
        see = "; see: tracelite --help"
        self.fail_with("a command is required" + see, code=2)
        self.fail_with("there is no command 'list'" + see, "list", "day.tl", code=2)
        self.fail_with("there is no command ''" + see, "", code=2)
        self.fail_with("there is no option '--json'" + see, "--json", code=2)
        self.assertIn("Usage: tracelite [OPTIONS] COMMAND\n", self.run_program("--help").out)

    def test_numbers(self) -> None:
        for number in ["-1", "-2", "0", "1.5", "many", ""]:
            self.refused(
                f"'{number}' is not a whole number above 0", "traces", "day.tl", "--limit", number
            )
        for number in ["0", "-1", "nan", "inf", "fast"]:
            message = f"'{number}' is not a number above 0"
            self.refused(message, "replay", "day.tl", "morning", "--speed", number)
            self.refused(message, "replay", "day.tl", "morning", "--max-gap", number)
        self.refused("'-1' is not a number from 0 on", "tail", "day.tl", "--timeout", "-1")
        for number in ["-1", "86401"]:
            arguments = ["day.tl", "--all", "--yes", "--secure", "--timeout", number]
            self.refused(f"'{number}' is not a number from 0 to 86400", "delete", *arguments)
        self.assertEqual(3, len(self.rows("traces", "day.tl")))

    def test_words(self) -> None:
        for order in ["size", "260", "4", ""]:
            self.refused(f"'{order}' is not one of time, ", "traces", "day.tl", "--order", order)
        for level in ["FATAL", "4"]:
            message = f"'{level}' is not one of DEBUG, DEFAULT, WARNING, ERROR"
            self.refused(message, "traces", "day.tl", "--level", level)
        self.refused("'3' is not one of SPAN, EVENT, ", "traces", "day.tl", "--type", "3")
        arguments = ["import", "day.tl", "-", "--durability", "1"]
        self.refused("'1' is not one of sync, last-commit", *arguments)
        # In any case.
        rows = self.rows("traces", "day.tl", "--level", "error", "--order", "Cost.ASC")
        self.assertEqual(["trace-1"], [row["id"] for row in rows])

    def test_times(self) -> None:
        for time in ["9999-01-01", "1600-01-01T00:00:00Z"]:
            for option in ["--from", "--to"]:
                message = "is out of range; times go from 1677-09-22 to 2262-04-11"
                self.refused(message, "traces", "day.tl", option, time)
        self.refused("is no ISO 8601 time", "traces", "day.tl", "--from", "2026-02-30")
        ends = ["--from", "1677-09-22Z", "--to", "2262-04-11Z"]
        self.assertEqual(3, len(self.rows("traces", "day.tl", *ends)))

    def test_tail_knows_no_metadata(self) -> None:
        arguments = ["day.tl", "--metadata", "plan=pro", "--timeout", "0"]
        self.refused("not expected", "tail", *arguments)
        self.assertNotIn("--metadata", self.succeed("tail", "--help").out)


if __name__ == "__main__":
    unittest.main()
