"""delete: what it takes, what it asks, and what it says."""

from __future__ import annotations

import os
import pty
import subprocess
import unittest

import day
from program import PROGRAM, TIMEOUT_S, ProgramTest, clock, event


class Deleting(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        self.import_lines(*day.events())

    def traces(self) -> list[str]:
        return sorted(str(row["id"]) for row in self.rows("traces", "day.tl"))

    def answer(self, answer: str, *arguments: str) -> tuple[int, str, str]:
        """Runs the program on a terminal that gives this answer: its code, output and errors."""
        reader, writer = pty.openpty()
        os.write(reader, answer.encode())
        completed = subprocess.run(
            [PROGRAM, *arguments],
            stdin=writer,
            capture_output=True,
            cwd=self.folder,
            env=self.environment(),
            timeout=TIMEOUT_S,
            check=False,
        )
        os.close(writer)
        os.close(reader)
        return completed.returncode, completed.stdout.decode(), completed.stderr.decode()

    def test_each_option_deletes_what_it_lists(self) -> None:
        for options, left in [
            (["--trace", "trace-1"], ["trace-2", "trace-3"]),
            (["--session", "morning"], ["trace-3"]),
            (["--user", "ada"], ["trace-2"]),
            (["--tag", "blue"], ["trace-3"]),
            (["--tag", "blue", "--tag", "red"], ["trace-2", "trace-3"]),
            (["--environment", "production"], ["trace-2", "trace-3"]),
            (["--before", clock(60)], ["trace-2", "trace-3"]),
            (["--to", clock(60)], ["trace-2", "trace-3"]),
            (["--from", clock(60), "--before", clock(120)], ["trace-1", "trace-3"]),
            (["--level", "ERROR", "--user", "ada"], ["trace-2", "trace-3"]),
            (["--user", ""], ["trace-1", "trace-2", "trace-3"]),
            (["--user", "ada", "--before", "1970-01-01Z"], ["trace-1", "trace-2", "trace-3"]),
            (["--all"], []),
        ]:
            with self.subTest(options=options):
                (self.folder / "day.tl").unlink()
                self.import_lines(*day.events())
                self.succeed("delete", "day.tl", "--yes", *options)
                self.assertEqual(left, self.traces())
                self.assertEqual("ok\n", self.succeed("check", "day.tl").out)

    def test_what_was_deleted_is_told(self) -> None:
        result = self.succeed("delete", "day.tl", "--session", "morning", "--yes")
        self.assertEqual("deleted 2 traces, 5 observations, 2 scores, 1 session\n", result.out)
        row = self.succeed("delete", "day.tl", "--session", "evening", "--yes", "--json").row()
        self.assertEqual({"traces": 1, "observations": 1, "scores": 1, "sessions": 1}, row)
        statistics = self.succeed("stats", "day.tl", "--json").row()
        for name in ["traces", "observations", "scores", "sessions", "users"]:
            self.assertEqual(0, statistics[name], name)
        result = self.succeed("delete", "day.tl", "--trace", "trace-1", "--yes")
        self.assertEqual("deleted 0 traces, 0 observations, 0 scores, 0 sessions\n", result.out)

    def test_secure_leaves_nothing_in_the_file(self) -> None:
        def is_there() -> bool:
            return b"morning" in (self.folder / "day.tl").read_bytes()

        self.assertTrue(is_there())
        arguments = ["--session", "morning", "--yes", "--secure", "--timeout", "60"]
        result = self.succeed("delete", "day.tl", *arguments)
        self.assertIn("deleted 2 traces, 5 observations, 2 scores, 1 session\n", result.out)
        self.assertIn("remaining: 0 bytes\n", result.out)
        self.assertFalse(is_there())
        arguments = ["--session", "evening", "--yes", "--secure", "--json"]
        row = self.succeed("delete", "day.tl", *arguments).row()
        self.assertEqual((1, 0), (row["traces"], row["remainingBytes"]))
        self.assertEqual("ok\n", self.succeed("check", "day.tl").out)

    def test_what_a_reader_keeps_is_told_in_each_try(self) -> None:
        reader = subprocess.Popen(
            [PROGRAM, "replay", "day.tl", "evening", "--speed", "0.0001"],
            stdout=subprocess.PIPE,
            cwd=self.folder,
            env=self.environment(),
        )
        self.addCleanup(reader.communicate)
        self.addCleanup(reader.kill)
        assert reader.stdout is not None
        reader.stdout.readline()  # it has its snapshot
        arguments = ["day.tl", "--session", "morning", "--yes", "--secure", "--timeout", "0"]
        for traces in [2, 0]:
            result = self.run_program("delete", *arguments, "--json")
            self.assertEqual(1, result.code, result.err)
            self.assertEqual(traces, result.row()["traces"])
            self.assertGreater(result.row()["remainingBytes"], 0)
        result = self.run_program("delete", *arguments)
        self.assertEqual(1, result.code, result.err)
        self.assertRegex(result.out, r"deleted 0 traces, .*\noverwritten: .*remaining: [1-9]")

    def test_an_event_starts_it_anew(self) -> None:
        self.succeed("delete", "day.tl", "--trace", "trace-1", "--yes")
        self.import_lines(event("trace-create", {"id": "trace-1", "name": "anew"}))
        row = next(row for row in self.rows("traces", "day.tl") if row["id"] == "trace-1")
        self.assertEqual(("anew", []), (row["name"], row["tags"]))

    def test_it_asks_on_a_terminal(self) -> None:
        code, out, error = self.answer("n\n", "delete", "day.tl", "--user", "ada")
        self.assertEqual((1, ""), (code, out))
        self.assertIn("delete 2 traces in day.tl? [y/N]", error)
        self.assertIn("nothing was deleted", error)
        self.assertEqual(3, len(self.traces()))
        code, out, error = self.answer("y\n", "delete", "day.tl", "--user", "ada")
        self.assertEqual((0, True), (code, out.startswith("deleted 2 traces")), error)
        self.assertEqual(["trace-2"], self.traces())
        code, out, error = self.answer("yes\n", "delete", "day.tl", "--all")
        self.assertIn("delete everything in day.tl?", error)
        self.assertEqual([], self.traces())

    def test_without_a_terminal_it_needs_to_be_told(self) -> None:
        self.fail_with("--yes", "delete", "day.tl", "--all", code=2)
        self.assertEqual(3, len(self.traces()))

    def test_nothing_is_deleted_by_accident(self) -> None:
        self.fail_with("--all deletes everything", "delete", "day.tl", "--yes", code=2)
        self.fail_with("--help", "delete", "day.tl", "--yes", "--all", "--user", "ada", code=2)
        self.fail_with("--help", "delete", "--yes", "--all", code=2)
        self.fail_with("there is no file", "delete", "none.tl", "--all", "--yes")
        self.assertEqual(["day.tl"], self.files())
        self.assertEqual(3, len(self.traces()))


if __name__ == "__main__":
    unittest.main()
