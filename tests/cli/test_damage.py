"""What is said of a file that cannot be used as it is: the advice helps, or is not given."""

from __future__ import annotations

import os
import shlex
import subprocess
import unittest

import day
from program import PROGRAM, TIMEOUT_S, ProgramTest, Result, joined

SALVAGE = "bring out what can be read with: tracelite salvage day.tl NEW.tl"
TRUST = "see all that is wrong with: tracelite check --trust day.tl"


class Damaged(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        self.import_lines(*day.events())
        self.path = self.folder / "day.tl"
        self.content = self.path.read_bytes()
        self.before = self.rows("traces", "day.tl")

    def damage_index(self) -> None:
        self.assertIn(b"CREATE TABLE trace", self.content)
        self.path.write_bytes(self.content.replace(b"CREATE TABLE trace", b"CREATE TABLE trade"))

    def failing(self, *arguments: str) -> Result:
        result = self.run_program(*arguments)
        self.assertEqual(1, result.code, result.err)
        return result

    def test_check_tells_the_finding_also_where_nothing_is_opened(self) -> None:
        self.damage_index()
        result = self.failing("check", "day.tl")
        self.assertRegex(result.out, r"^file: .* does not match its checksum\n$")
        self.assertTrue(result.err.startswith("tracelite: day.tl is damaged: 1 finding; "))
        self.assertIn(TRUST, result.err)
        finding, verdict = self.failing("check", "day.tl", "--json").rows()
        self.assertEqual("file", finding["where"])
        self.assertIn("does not match its checksum", finding["message"])
        self.assertEqual({"ok": False, "findings": 1}, verdict)

    def test_a_damaged_index_is_mended_as_check_says(self) -> None:
        self.damage_index()
        result = self.failing("check", "--trust", "day.tl")
        self.assertTrue(result.out.startswith("page: "), result.out)
        self.assertIn("mend it with: tracelite reindex --trust day.tl; ", result.err)
        self.assertIn("use a backup that you have, or " + SALVAGE, result.err)
        self.failing("reindex", "day.tl")
        self.succeed("reindex", "--trust", "day.tl")
        self.assertEqual("ok\n", self.succeed("check", "day.tl").out)
        self.assertEqual(self.before, self.rows("traces", "day.tl"))

    def test_a_truncated_file_is_not_to_be_trusted(self) -> None:
        self.path.write_bytes(self.content[: len(self.content) // 2])
        for arguments in [["check"], ["traces"], ["check", "--trust"]]:
            with self.subTest(arguments=arguments):
                result = self.failing(*arguments, "day.tl")
                self.assertIn("it is truncated", result.out + result.err)
                self.assertIn("use a backup that you have, or " + SALVAGE, result.err)
                self.assertNotIn("--trust", result.err)
        for arguments in [["--json"], ["--json", "--trust"]]:
            self.assertFalse(self.failing("check", "day.tl", *arguments).rows()[-1]["ok"])

    def test_a_file_without_its_head_may_have_been_one(self) -> None:
        self.path.write_bytes(bytes(4096) + self.content[4096:])
        for command in ["traces", "check", "reindex"]:
            for arguments in [[command], [command, "--trust"]]:
                result = self.failing(*arguments, "day.tl")
                self.assertIn("is not a tracelite file; if it was one, " + SALVAGE, result.err)
        self.succeed("salvage", "day.tl", "NEW.tl")
        self.assertEqual(self.before, self.rows("traces", "NEW.tl"))
        self.path.write_bytes(b"")
        self.assertNotIn("salvage", self.failing("traces", "day.tl").err)

    def test_commands_that_are_proposed_can_be_given_as_they_are(self) -> None:
        self.path.rename(self.folder / "a day.tl")
        (self.folder / "a day.tl").write_bytes(self.content[: len(self.content) // 2])
        result = self.failing("traces", "a day.tl")
        self.assertIn("tracelite salvage 'a day.tl' NEW.tl", result.err)

    def test_import_is_proposed_where_it_can_make_the_file(self) -> None:
        proposed = "make it with: tracelite import none.tl EVENTS"
        self.fail_with(proposed, "traces", "none.tl")
        result = self.fail_with("no folder ", "traces", "none/none.tl")
        self.assertNotIn("import", result.err)

    def test_a_session_that_is_not_there_names_the_list(self) -> None:
        message = "no session night in day.tl; see what there is with: tracelite sessions day.tl"
        for arguments in [["replay"], ["replay", "--json"], ["replay", "--speed", "1"]]:
            self.fail_with(message, *arguments, "day.tl", "night")


class ReadOnlyFolder(ProgramTest):
    """A file in a folder that may not be written, used by somebody who is not root."""

    def setUp(self) -> None:
        super().setUp()
        self.import_lines(*day.events())
        self.before = self.rows("traces", "day.tl")
        (self.folder / "day.tl").chmod(0o644)
        self.folder.chmod(0o555)
        self.addCleanup(self.folder.chmod, 0o755)

    def run_as_somebody(self, *arguments: str) -> Result:
        other = 65534 if os.geteuid() == 0 else None
        try:
            return Result(
                subprocess.run(
                    [PROGRAM, *arguments],
                    capture_output=True,
                    cwd=self.folder,
                    # A build that counts what is run has its counts where nobody else may write.
                    env={**self.environment(), "LLVM_PROFILE_FILE": os.devnull},
                    timeout=TIMEOUT_S,
                    user=other,
                    check=False,
                )
            )
        except PermissionError:
            self.skipTest("nobody but root may run the program where it lies")

    def test_it_is_read_as_immutable(self) -> None:
        refused = self.run_as_somebody("traces", "day.tl")
        self.assertEqual(1, refused.code)
        self.assertIn("if nobody writes the file, read it with --immutable\n", refused.err)
        read = self.run_as_somebody("traces", "day.tl", "--immutable", "--json")
        self.assertEqual(self.before, read.rows(), read.err)
        for command in ["check", "export", "stats", "sessions"]:
            read = self.run_as_somebody(command, "day.tl", "--immutable")
            self.assertEqual((0, ""), (read.code, read.err), command)
        for command in ["reindex", "compact", "import", "tail"]:
            self.assertNotIn("--immutable", self.succeed(command, "--help").out)

    def test_what_is_proposed_reads_it_so_as_well(self) -> None:
        missing = self.run_as_somebody("trace", "--immutable", "day.tl", "nothing")
        self.assertEqual(1, missing.code)
        proposed = missing.err.rstrip().split(" with: tracelite ")[1].split()
        self.assertEqual(["traces", "--immutable", "day.tl"], proposed)
        self.assertEqual(0, self.run_as_somebody(*proposed).code)


class ClosedDescriptors(ProgramTest):
    """A file that is opened must not become what the program writes to."""

    def run_closed(self, closed: str, *arguments: str, stdin: bytes = b"") -> None:
        words = " ".join(shlex.quote(word) for word in (PROGRAM, *arguments))
        subprocess.run(
            ["sh", "-c", f"{words} {closed}"],
            input=stdin,
            cwd=self.folder,
            env=self.environment(),
            timeout=TIMEOUT_S,
            check=False,
        )
        self.assertEqual("ok\n", self.succeed("check", "--trust", "day.tl").out)

    def test_nothing_is_written_over_it(self) -> None:
        lines = joined(*day.events(), "no event at all")
        for closed in (">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"):
            with self.subTest(closed):
                self.import_lines(*day.events())
                self.run_closed(closed, "import", "day.tl", "-", stdin=lines)
                self.run_closed(closed, "traces", "day.tl", "--json")
                self.run_closed(closed, "trace", "day.tl", "nothing")
                self.run_closed(closed, "export", "day.tl")


if __name__ == "__main__":
    unittest.main()
