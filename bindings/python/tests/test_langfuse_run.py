"""`python -m tracelite.langfuse run`: unchanged programs, in which `langfuse` is this package."""

import os
import subprocess
import sys
import unittest
from typing import Set

from support import PACKAGE, FolderCase
from tracelite import Store


class RunTest(FolderCase):
    def run_program(self, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        environment = {**os.environ, "PYTHONPATH": str(PACKAGE), "TRACELITE_PATH": str(self.path)}
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-m", "tracelite.langfuse", *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=120,
        )
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def script(self, text: str, name: str = "script.py") -> str:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    def names(self) -> Set[str]:
        with Store(self.path, read_only=True) as store:
            return {row.name or "" for row in store.observations()}

    def test_arguments_and_imports(self) -> None:
        self.script("from langfuse import get_client\nname = 'from a neighbour'\n", "neighbour.py")
        script = self.script(
            """
import sys
import langfuse, langfuse.decorators
import langfuse.media as media
from langfuse import Langfuse, observe
from langfuse.decorators import langfuse_context
from langfuse.types import TraceContext
import tracelite.langfuse, tracelite.langfuse.decorators
import neighbour
assert langfuse is tracelite.langfuse, langfuse
assert langfuse.decorators is tracelite.langfuse.decorators
assert langfuse.__spec__.name == "tracelite.langfuse"
assert __name__ == "__main__"
Langfuse().start_span(name=neighbour.name).end()
print(sys.argv[1:])
"""
        )
        done = self.run_program("run", script, "a", "-m", "--b")
        self.assertEqual(done.stdout, "['a', '-m', '--b']\n")
        self.assertEqual(self.names(), {"from a neighbour"})

    def test_a_module(self) -> None:
        self.script("", "package/__init__.py")
        self.script("import langfuse, sys\nlangfuse.get_client().start_span(name=sys.argv[1]).end()",
                    "package/__main__.py")  # fmt: skip
        self.run_program("run", "-m", "package", "x")
        self.assertEqual(self.names(), {"x"})

    def test_processes_that_it_starts(self) -> None:
        script = self.script(
            """
import multiprocessing, subprocess, sys
from langfuse import get_client

def work(name):
    get_client().start_span(name=name).end()

if __name__ == "__main__":
    for way in ("spawn", "fork"):
        process = multiprocessing.get_context(way).Process(target=work, args=(way,))
        process.start()
        process.join()
        assert process.exitcode == 0, way
    code = "from langfuse.decorators import observe\\n@observe()\\ndef program(): pass\\nprogram()"
    subprocess.run([sys.executable, "-c", code], check=True)
"""
        )
        self.run_program("run", script)
        self.assertEqual(self.names(), {"spawn", "fork", "program"})

    def test_langfuse_itself_is_not_used(self) -> None:
        self.script("raise ImportError('the real one')", "langfuse/__init__.py")
        script = self.script("import langfuse\nlangfuse.get_client().start_span(name='a').end()")
        self.run_program("run", script)
        self.assertEqual(self.names(), {"a"})

    def test_what_is_not_there(self) -> None:
        script = self.script(
            """
try:
    import langfuse.nothing
except ModuleNotFoundError as error:
    print(error.name)
"""
        )
        self.assertEqual(self.run_program("run", script).stdout, "langfuse.nothing\n")

    def test_the_end_of_the_script_is_the_end_of_the_program(self) -> None:
        self.run_program("run", self.script("import sys\nsys.exit(4)"), code=4)
        done = self.run_program("run", self.script("1/0"), code=1)
        self.assertIn("ZeroDivisionError", done.stderr)

    def test_usage(self) -> None:
        self.assertIn("run [-m] SCRIPT", self.run_program("--help").stdout)
        self.assertIn("run [-m] SCRIPT", self.run_program(code=2).stderr)
        self.assertIn("run [-m] SCRIPT", self.run_program("start", code=2).stderr)


if __name__ == "__main__":
    unittest.main()
