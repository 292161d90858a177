"""Files that may come from anybody: each is looked through once in each state."""

from __future__ import annotations

import lzma
import os
import unittest
from pathlib import Path

import day
from program import ProgramTest


class Trusting(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        self.import_lines(*day.events())
        self.lines = self.cache / "tracelite" / "verified"
        if self.lines.exists():
            self.lines.unlink()

    def state(self) -> str:
        found = os.stat(self.folder / "day.tl")
        second, nanosecond = divmod(found.st_ctime_ns, 1_000_000_000)
        return f"{found.st_dev} {found.st_ino} {found.st_size} {second}.{nanosecond}"

    def damage(self) -> None:
        """Flips a bit in every place where this name stands, so that checksums are wrong."""
        path = self.folder / "day.tl"
        content = path.read_bytes()
        # The mark of the format, at its end: no program would look at this place.
        mark = b"tracelite\x00\x00\x00\x01\x00\x00\x10\x00"
        self.assertIn(mark, content)
        path.write_bytes(content.replace(mark, mark[:-1] + b"\x01"))

    def test_a_damaged_file_is_refused_with_what_to_do(self) -> None:
        self.damage()
        result = self.fail_with("does not match its checksum", "traces", "day.tl")
        self.assertIn("backup", result.err)
        self.assertIn("tracelite salvage day.tl", result.err)
        self.assertIn("tracelite check --trust day.tl", result.err)
        self.assertFalse(self.lines.exists())

    def test_a_file_is_looked_through_once_in_each_state(self) -> None:
        self.succeed("traces", "day.tl")
        self.assertEqual([self.state()], self.lines.read_text().splitlines())
        self.succeed("traces", "day.tl")
        self.assertEqual([self.state()], self.lines.read_text().splitlines())
        self.import_lines(*day.events())
        self.succeed("traces", "day.tl")
        self.assertEqual(self.state(), self.lines.read_text().splitlines()[-1])
        self.assertEqual(2, len(self.lines.read_text().splitlines()))

    def test_what_was_looked_through_is_not_looked_through_again(self) -> None:
        self.damage()
        self.lines.parent.mkdir(exist_ok=True)
        self.lines.write_text(self.state() + "\n")
        result = self.run_program("traces", "day.tl")  # as far as opening it goes
        self.assertNotIn("--trust", result.err)

    def test_trust_leaves_it_out(self) -> None:
        self.damage()
        result = self.run_program("traces", "day.tl", "--trust")
        self.assertNotIn("--trust", result.err)
        self.assertFalse(self.lines.exists())

    def test_only_so_many_lines_are_kept(self) -> None:
        self.lines.parent.mkdir(exist_ok=True)
        self.lines.write_text("".join(f"1 2 3 {i}\n" for i in range(300)))
        self.succeed("traces", "day.tl")
        lines = self.lines.read_text().splitlines()
        self.assertEqual(256, len(lines))
        self.assertEqual("1 2 3 299", lines[-2])
        self.assertEqual(self.state(), lines[-1])

    def test_an_index_of_another_version_is_said_and_not_believed_later(self) -> None:
        # Observations o0 to o4, and an index 999 with a table more (tests/api/other_index_test.cpp).
        packed = (Path(__file__).parent / "other_index.tl.xz").read_bytes()
        (self.folder / "other.tl").write_bytes(lzma.decompress(packed))
        for _ in range(2):
            result = self.run_program("observations", "other.tl", "--json")
            self.assertEqual(0, result.code, result.err)
            self.assertEqual({f"o{i}" for i in range(5)}, {row["id"] for row in result.rows()})
            self.assertIn("another version of tracelite (index 999", result.err)
            self.assertIn("/other.tl`; until then one is made in memory", result.err)
            self.assertFalse(self.lines.exists())
        self.fail_with("index 999", "check", "other.tl")
        self.succeed("reindex", "other.tl")
        self.assertEqual("", self.succeed("observations", "other.tl").err)
        self.succeed("check", "other.tl")

    def test_without_a_cache_all_goes_on(self) -> None:
        self.cache.chmod(0o500)
        self.addCleanup(self.cache.chmod, 0o700)
        file = self.cache / "tracelite"
        if os.geteuid() == 0:
            self.cache.chmod(0o700)
            if file.exists():
                file.rmdir()
            file.write_text("not a folder")
        self.succeed("traces", "day.tl")


if __name__ == "__main__":
    unittest.main()
