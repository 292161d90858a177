"""`tracelite salvage`: what can still be read of a damaged file, in a new one."""

from __future__ import annotations

import stat
import unittest

import day
from program import ProgramTest

COMMANDS = ["traces", "observations", "sessions", "scores"]


class Salvaging(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        self.import_lines(*day.events())
        self.before = [self.rows(command, "day.tl") for command in COMMANDS]

    def zero(self, first: int, end: int) -> None:
        path = self.folder / "day.tl"
        content = bytearray(path.read_bytes())
        content[first:end] = bytes(min(end, len(content)) - first)
        path.write_bytes(content)

    def test_everything_comes_out_of_a_file_without_its_heads(self) -> None:
        self.zero(0, 8192)
        self.fail_with("is not a tracelite file", "traces", "day.tl")
        report = self.succeed("salvage", "day.tl", "new.tl", "--json").rows()
        self.assertEqual("head", report[0]["where"])
        self.assertTrue(report[-1]["ok"])
        self.assertEqual(len(self.before[0]), report[-1]["traces"])
        self.assertEqual(self.before, [self.rows(command, "new.tl") for command in COMMANDS])
        self.assertEqual("ok\n", self.succeed("check", "new.tl").out)
        self.assertEqual(0o600, stat.S_IMODE((self.folder / "new.tl").stat().st_mode))
        self.assertEqual(["day.tl", "new.tl"], [f for f in self.files() if f.endswith(".tl")])

    def test_what_is_left_behind_is_told(self) -> None:
        path = self.folder / "day.tl"
        size = path.stat().st_size
        path.write_bytes(path.read_bytes()[: size // 2])
        result = self.run_program("salvage", "day.tl", "new.tl")
        self.assertEqual(1, result.code, result.err)
        self.assertRegex(result.out, r"(?m)^brought out: \d+ traces?, ")
        self.assertRegex(result.out, r"(?m)^left behind: \d+ records?, ")
        self.assertIn("keep the damaged file", result.err)
        self.assertEqual("ok\n", self.succeed("check", "new.tl").out)

    def test_a_damaged_file_names_the_way_out(self) -> None:
        self.zero(8192, (self.folder / "day.tl").stat().st_size)
        result = self.run_program("traces", "day.tl")
        self.assertIn("tracelite salvage day.tl", result.err)
        result = self.fail_with("that tracelite has written", "salvage", "day.tl", "new.tl")
        self.assertFalse((self.folder / "new.tl").exists())

    def test_nothing_is_written_over(self) -> None:
        self.fail_with("exists", "salvage", "day.tl", "day.tl")
        self.fail_with("cannot open", "salvage", "missing.tl", "new.tl")


if __name__ == "__main__":
    unittest.main()
