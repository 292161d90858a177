"""Files that may come from anybody: each is looked through once in each state."""

from __future__ import annotations

import hashlib
import lzma
import os
import threading
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

    def state(self, name: str = "day.tl") -> str:
        path = self.folder / name
        found = os.stat(path)
        system = os.statvfs(path).f_fsid
        second, nanosecond = divmod(found.st_ctime_ns, 1_000_000_000)
        begin = hashlib.sha256(path.read_bytes()[: 128 * 1024]).hexdigest()
        return (
            f"{system} {found.st_dev} {found.st_ino} {found.st_size} "
            f"{second}.{nanosecond} {begin}"
        )

    def damage(self) -> None:
        """Flips a bit in every place where this name stands, so that checksums are wrong."""
        path = self.folder / "day.tl"
        content = path.read_bytes()
        # The mark of the format, at its end: no program would look at this place.
        mark = b"tracelite\x00\x00\x00\x01\x00\x00\x10\x00"
        self.assertIn(mark, content)
        path.write_bytes(content.replace(mark, mark[:-1] + b"\x01"))

    def assert_opened(self, *arguments: str) -> None:
        """Runs a command that does not look through the damaged file: it fails where it reads what
        is damaged."""
        result = self.fail_with("the value of key 666f726d6174 in key space meta", *arguments)
        self.assertNotIn("--trust", result.err)

    def test_a_damaged_file_is_refused_with_what_to_do(self) -> None:
        self.damage()
        result = self.fail_with("does not match its checksum", "traces", "day.tl")
        self.assertIn("use a backup that you have", result.err)
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
        self.assert_opened("traces", "day.tl")

    def test_another_begin_is_another_state(self) -> None:
        self.damage()
        self.lines.parent.mkdir(exist_ok=True)
        state = self.state()
        self.lines.write_text(state[:-1] + ("1" if state[-1] == "0" else "0") + "\n")
        self.fail_with("does not match its checksum", "traces", "day.tl")

    def test_what_a_name_led_to_before_is_not_remembered_for_what_was_opened(self) -> None:
        (self.folder / "sound.tl").write_bytes((self.folder / "day.tl").read_bytes())
        self.damage()
        link = self.folder / "link.tl"

        # Now and then the name leads to the damaged file when its state is taken, and to the sound
        # one when it is opened.
        stop = threading.Event()

        def flip() -> None:
            other = self.folder / "link.new"
            while not stop.is_set():
                for name in ("day.tl", "sound.tl"):
                    other.symlink_to(name)
                    other.replace(link)

        link.symlink_to("day.tl")
        thread = threading.Thread(target=flip)
        thread.start()
        try:
            codes = [self.run_program("traces", "link.tl").code for _ in range(60)]
        finally:
            stop.set()
            thread.join()
        self.assertEqual({0, 1}, set(codes))  # both have been opened
        self.assertNotIn(self.state("day.tl"), self.lines.read_text().splitlines())
        self.succeed("traces", "sound.tl")
        self.assertEqual([self.state("sound.tl")], self.lines.read_text().splitlines())

    def test_trust_leaves_it_out(self) -> None:
        self.damage()
        self.assert_opened("traces", "day.tl", "--trust")
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
