"""What README.md shows is run: its commands, its C program and its Python program."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

from program import PROGRAM, ROOT, TIMEOUT_S, ProgramTest

README = ROOT / "README.md"
LIBRARY = Path(os.environ.get("TRACELITE_LIBRARY", str(ROOT / "build/release/lib/libtracelite.so")))
CC = os.environ.get("CC", "cc")


def blocks(language: str) -> list[str]:
    text = README.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(block: str) -> list[str]:
    """The lines of a shell block without their comments."""
    lines = (line.split("#")[0].strip() for line in block.splitlines())
    return [line for line in lines if line]


def is_set_up(block: str) -> bool:
    """Whether it builds or tests the project itself. A test cannot run that: it would build
    everything anew and call itself."""
    return all(line.startswith("./dev ") for line in commands(block))


class ReadmeTest(ProgramTest):
    def run_in_folder(self, *command: str, **environment: str) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environment(), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        self.assertEqual(done.returncode, 0, f"{command}: {done.stdout}")
        return done.stdout

    def test_every_language_is_one_that_is_looked_at(self) -> None:
        languages = re.findall(r"^```(.+)$", README.read_text(encoding="utf-8"), re.MULTILINE)
        # How to link is no program; the test of the installation is the place for that.
        self.assertEqual(set(languages), {"sh", "c", "python", "cmake"})

    def test_every_shell_block_runs(self) -> None:
        shown = [block for block in blocks("sh") if not is_set_up(block)]
        self.assertGreaterEqual(len(shown), 1)
        path = f"{Path(PROGRAM).resolve().parent}{os.pathsep}{os.environ.get('PATH', '')}"
        for block in shown:
            output = self.run_in_folder("sh", "-eux", "-c", block, PATH=path)
            for line in commands(block):
                self.assertIn("+ " + line.split(" > ")[0], output)
        self.assertEqual(
            self.files(), ["copy.tl", "day.tl", "events.jsonl", "monday.tl", "whole.tl"]
        )
        # What was imported is what was exported.
        exported = self.succeed("export", "day.tl").out
        self.assertEqual((self.folder / "events.jsonl").read_text(), exported)
        self.assertEqual(self.succeed("export", "copy.tl").out, exported)
        self.assertGreater(len(self.rows("replay", "day.tl", "kyoto-trip")), 1)
        self.assertGreater(len(self.rows("observations", "day.tl", "--level", "ERROR")), 0)

    def test_every_set_up_command_exists(self) -> None:
        named = re.findall(r"\./dev ([a-z]+)", README.read_text(encoding="utf-8"))
        self.assertGreater(len(named), 2)
        help_text = subprocess.run(
            [str(ROOT / "dev"), "help"], stdout=subprocess.PIPE, text=True, check=True
        ).stdout
        known = set(re.findall(r"^  ([a-z]+) ", help_text, re.MULTILINE))
        self.assertEqual(set(named) - known, set())

    @unittest.skipUnless(shutil.which(CC), f"no C compiler: {CC}")
    def test_every_c_block_compiles_and_runs(self) -> None:
        self.assertGreaterEqual(len(blocks("c")), 1)
        for number, block in enumerate(blocks("c")):
            source = self.folder / f"block{number}.c"
            source.write_text(block)
            self.run_in_folder(
                CC,
                *("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"),
                *("-I", str(ROOT / "include")),
                *("-o", source.stem, source.name),
                *(
                    "-L",
                    str(LIBRARY.parent),
                    "-ltracelite",
                    f"-Wl,-rpath,{LIBRARY.parent}",
                ),
            )
            self.assertEqual(self.run_in_folder(f"./{source.stem}"), "")
            self.assertIn("chat.tl", self.files())
        (row,) = self.rows("observations", "chat.tl", "--io")
        self.assertEqual(row["name"], "answer")
        self.assertEqual(row["output"], "because of the tide")
        self.assertEqual(row["input"], [{"role": "user", "content": "why?"}])
        self.assertIsNotNone(row["endTime"])

    def test_every_python_block_runs(self) -> None:
        self.assertGreaterEqual(len(blocks("python")), 1)
        for block in blocks("python"):
            output = self.run_in_folder(
                *(sys.executable, "-W", "error", "-c", block),
                PYTHONPATH=str(ROOT / "bindings/python"),
                PYTHONDONTWRITEBYTECODE="1",
                TRACELITE_LIBRARY=str(LIBRARY),
            )
            self.assertIn("guide", output)
            self.assertIn("map", output)


if __name__ == "__main__":
    unittest.main()
