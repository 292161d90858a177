"""The wheel of `./dev wheel`: it brings the library along, and needs nothing else."""

import os
import re
import shutil
import subprocess
import sys
import unittest
import zipfile
from pathlib import Path
from typing import Dict, List
from unittest import mock

from support import ROOT, FolderCase
from test_package import backend
from tracelite import _c

LIBRARY = ROOT / "build" / "wheel" / "library" / "lib" / "libtracelite.so"

PROGRAM = """
import tracelite
from tracelite.langfuse import Langfuse, observe, propagate_attributes

client = Langfuse(path="day.tl")

@observe()
def answer(question):
    return {"answer": question}

with propagate_attributes(session_id="s"):
    answer("why?")
client.flush()
with tracelite.Store("day.tl") as store:
    steps = [(str(step.phase), (step.trace or step.observation).name) for step in store.replay("s")]
client.shutdown()
print(tracelite.__file__)
print(steps)
"""


@unittest.skipUnless(LIBRARY.is_file(), "no library that stands alone: `./dev wheel` builds it")
class WheelTest(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.backend = backend()
        with mock.patch.dict(os.environ, {"TRACELITE_LIBRARY": str(LIBRARY.resolve())}):
            self.name: str = self.backend.build_wheel(str(self.folder))
        self.installed = self.folder / "installed"
        with zipfile.ZipFile(self.folder / self.name) as wheel:
            wheel.extractall(self.installed)
        self.library = self.installed / "tracelite" / "libtracelite.so"

    def needs(self, tool: str) -> str:
        found = shutil.which(tool)
        if found is None:
            self.skipTest(f"no {tool}")
        return found

    def output_of(self, *command: str, **environment: str) -> str:
        kept: Dict[str, str] = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "PIP_", "TRACELITE_", "LD_", "VIRTUAL_ENV"))
        }
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**kept, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def test_its_name_says_the_glibc_it_was_built_on(self) -> None:
        self.needs("readelf")
        self.assertRegex(
            self.name, rf"^tracelite-{re.escape(_c.VERSION)}-py3-none-manylinux_\d+_\d+_\w+\.whl$"
        )
        major, minor = re.findall(r"manylinux_(\d+)_(\d+)_", self.name)[0]
        told = os.confstr("CS_GNU_LIBC_VERSION")
        self.assertEqual(told, f"glibc {major}.{minor}")
        wanted = self.output_of(self.needs("readelf"), "--version-info", str(self.library))
        versions = {tuple(map(int, each)) for each in re.findall(r"GLIBC_(\d+)\.(\d+)", wanted)}
        self.assertLessEqual(max(versions), (int(major), int(minor)))

    def test_it_asks_the_system_for_nothing_but_the_c_library(self) -> None:
        self.needs("readelf")
        names: List[str] = self.backend.needed_libraries(self.library)
        allowed = ("libc.so.", "libm.so.", "libdl.so.", "libpthread.so.", "librt.so.", "ld-linux")
        self.assertEqual([name for name in names if not name.startswith(allowed)], [])

    def test_only_its_own_functions_are_visible(self) -> None:
        symbols = self.output_of(self.needs("nm"), "-D", "--defined-only", str(self.library))
        names = {line.split()[-1] for line in symbols.splitlines()}
        self.assertEqual(names, set(_c.FUNCTIONS))

    def test_an_empty_environment_records_and_replays(self) -> None:
        environment = self.folder / "venv"
        made = subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", str(environment)], check=False
        )
        if made.returncode != 0:
            self.skipTest("no venv in this Python")
        python = environment / "bin" / "python"
        packages = self.output_of(
            str(python), "-c", "import sysconfig; print(sysconfig.get_path('platlib'))"
        ).strip()
        self.assertEqual(os.listdir(packages), [])
        for each in self.installed.iterdir():
            shutil.move(str(each), packages)
        (self.folder / "program.py").write_text(PROGRAM)
        expected = (
            "[('BEGIN', 'answer'), ('BEGIN', 'answer'), ('END', 'answer'), ('END', 'answer')]"
        )
        for options in (["-X", "dev", "-W", "error"], ["-I"]):
            with self.subTest(options=options):
                Path(self.folder / "day.tl").unlink(missing_ok=True)
                path, steps = self.output_of(str(python), *options, "program.py").splitlines()
                self.assertTrue(path.startswith(packages), path)
                self.assertEqual(steps, expected)


if __name__ == "__main__":
    unittest.main()
