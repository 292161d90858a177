"""The package as it is shipped: versions, wheel, installation, README, examples, types."""

import base64
import contextlib
import csv
import hashlib
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import unittest
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import tracelite
from support import PACKAGE, README, ROOT, FolderCase, blocks
from tracelite import _c


def backend() -> Any:
    spec = importlib.util.spec_from_file_location("backend", PACKAGE / "_build" / "backend.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class ReadmeTest(FolderCase):
    def test_every_python_block_runs(self) -> None:
        code = "\n".join(blocks("python"))
        self.assertGreater(len(blocks("python")), 4)
        before = os.getcwd()
        output = io.StringIO()
        os.chdir(self.folder)
        try:
            with contextlib.redirect_stdout(output):
                exec(compile(code, str(README), "exec"), {"__name__": "readme"})
        finally:
            os.chdir(before)
        shown = output.getvalue()
        for part in (
            "a question",
            "AGENT guide In Norway.",
            "TOOL map Norway",
            "BEGIN 0",
            "name ",
        ):
            self.assertIn(part, shown)
        self.assertEqual(
            sorted(os.listdir(self.folder)), ["copy.tl", "day.tl", "monday.tl", "tracelite.tl"]
        )

    def test_the_table_of_values(self) -> None:
        from tracelite import NULL, Json, Store

        with Store(self.path) as store:
            store.put_observation("o", input=Json('{ "exact" : 1e400 }'), output=NULL)
            store.flush()
            (row,) = store.observations()
            self.assertEqual(row.input_bytes, b'{ "exact" : 1e400 }')
            self.assertIsNone(row.output)

    def test_the_docstring_of_the_package(self) -> None:
        assert tracelite.__doc__ is not None
        code = re.findall(r"^    (.*\n)|^\n", tracelite.__doc__, re.MULTILINE)
        before = os.getcwd()
        output = io.StringIO()
        os.chdir(self.folder)
        try:
            with contextlib.redirect_stdout(output):
                exec("".join(code), {})
        finally:
            os.chdir(before)
        self.assertEqual(output.getvalue(), "because\n")


class ExampleTest(FolderCase):
    def run_example(self, *arguments: str) -> str:
        example = ROOT / "examples" / "nested_agent.py"
        if not example.is_file():
            self.skipTest("no examples beside the package")
        self.assertLess(len(example.read_text().splitlines()), 100)
        result = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", str(example), *arguments],
            env={**os.environ, "PYTHONPATH": str(PACKAGE)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout

    def test_types_of_the_example(self) -> None:
        example = ROOT / "examples" / "nested_agent.py"
        if not shutil.which("mypy") or not example.is_file():
            self.skipTest("no mypy, or no examples beside the package")
        result = subprocess.run(
            [
                "mypy",
                "--strict",
                "--cache-dir",
                str(self.folder / "cache"),
                str(example),
            ],
            env={**os.environ, "MYPYPATH": str(PACKAGE)},
            stdout=subprocess.PIPE,
            universal_newlines=True,
        )
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_nested_agent(self) -> None:
        self.assertEqual(
            self.run_example(),
            "trip by ada, $0.00021\n"
            "  AGENT trip -> 'Take an umbrella to Oslo.'\n"
            "    TOOL weather -> 'rain'\n"
            "      RETRIEVER station -> 'rain'\n"
            "    TOOL weather -> 'sun'\n"
            "      RETRIEVER station -> None  ERROR: ConnectionError: station is down\n"
            "      TOOL neighbour -> 'sun'\n"
            "    GENERATION answer -> 'Take an umbrella to Oslo.'\n",
        )
        self.run_example(str(self.path))
        with tracelite.Store(self.path) as store:
            (session,) = store.sessions()
            self.assertEqual(session.id, "holidays")


class VersionTest(unittest.TestCase):
    def test_one_version(self) -> None:
        self.assertEqual(tracelite.__version__, _c.VERSION)
        self.assertEqual(backend()._project("version"), _c.VERSION)

    def test_all_names_are_there(self) -> None:
        for name in tracelite.__all__:
            self.assertTrue(hasattr(tracelite, name), name)
        # A module below it becomes a name of it once some test has imported it.
        public = {
            name
            for name, value in vars(tracelite).items()
            if not name.startswith("_") and not isinstance(value, ModuleType)
        }
        self.assertEqual(public - set(tracelite.__all__) - {"annotations"}, set())

    def test_no_import_but_the_standard_library(self) -> None:
        code = "import sys, tracelite; print(*sorted(m.split('.')[0] for m in sys.modules))"
        result = subprocess.run(
            [sys.executable, "-S", "-c", code],
            env={**os.environ, "PYTHONPATH": str(PACKAGE)},
            stdout=subprocess.PIPE,
            universal_newlines=True,
            check=True,
        )
        standard = getattr(sys, "stdlib_module_names", None)
        if standard is None:
            self.skipTest("this Python does not tell its own modules")
        extra = set(result.stdout.split()) - set(standard) - {"tracelite", "__main__"}
        self.assertEqual(extra, set())


class BuildTest(FolderCase):
    """The build backend by its hooks. Builds nothing: the library is the one under test."""

    def setUp(self) -> None:
        super().setUp()
        self.backend = backend()
        library = Path(_c.library()._name)
        if not library.is_file():
            self.skipTest("the library under test is not a file")
        patch = mock.patch.dict(os.environ, {"TRACELITE_LIBRARY": str(library.resolve())})
        patch.start()
        self.addCleanup(patch.stop)

    def test_wheel(self) -> None:
        name = self.backend.build_wheel(str(self.folder))
        self.assertRegex(name, r"^tracelite-[0-9.]+-py3-none-\w+\.whl$")
        first = (self.folder / name).read_bytes()
        self.assertEqual(self.backend.build_wheel(str(self.folder)), name)
        self.assertEqual((self.folder / name).read_bytes(), first)  # repeatable
        with zipfile.ZipFile(self.folder / name) as wheel:
            self.assertIsNone(wheel.testzip())
            names = wheel.namelist()
            info = f"tracelite-{_c.VERSION}.dist-info"
            rows = list(csv.reader(io.StringIO(wheel.read(f"{info}/RECORD").decode())))
            self.assertEqual([row[0] for row in rows], names)
            for path, digest, size in rows[:-1]:
                data = wheel.read(path)
                hashed = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
                self.assertEqual((digest, size), (f"sha256={hashed.decode()}", str(len(data))))
            self.assertEqual(rows[-1], [f"{info}/RECORD", "", ""])
            for module in (PACKAGE / "tracelite").rglob("*.py"):
                path = module.relative_to(PACKAGE).as_posix()
                self.assertEqual(wheel.read(path), module.read_bytes())
            self.assertIn("tracelite/py.typed", names)
            self.assertIn(f"tracelite/{self.backend._library_name()}", names)
            metadata = wheel.read(f"{info}/METADATA").decode()
            self.assertIn(f"\nVersion: {_c.VERSION}\n", metadata)
            self.assertNotIn("Requires-Dist", metadata)
            self.assertIn("Root-Is-Purelib: false\n", wheel.read(f"{info}/WHEEL").decode())

    def test_source_distribution(self) -> None:
        if not (ROOT / "CMakeLists.txt").is_file():
            self.skipTest("no sources beside the package")
        name = self.backend.build_sdist(str(self.folder))
        with tarfile.open(self.folder / name) as archive:
            names = set(archive.getnames())
        stem = f"tracelite-{_c.VERSION}"
        for path in (
            "PKG-INFO",
            "pyproject.toml",
            "_build/backend.py",
            "tracelite/_c.py",
            "native/CMakeLists.txt",
            "native/include/tracelite/tracelite.h",
        ):
            self.assertIn(f"{stem}/{path}", names)

    def test_editable(self) -> None:
        name = self.backend.build_editable(str(self.folder))
        with zipfile.ZipFile(self.folder / name) as wheel:
            pointer = wheel.read("__editable__.tracelite.pth").decode()
        self.assertEqual(pointer, f"{PACKAGE}\n")

    def test_metadata(self) -> None:
        info = self.backend.prepare_metadata_for_build_wheel(str(self.folder))
        self.assertTrue((self.folder / info / "METADATA").is_file())

    def test_no_sources_and_no_library(self) -> None:
        with mock.patch.dict(os.environ), mock.patch.object(self.backend, "PACKAGE", self.folder):
            os.environ["TRACELITE_LIBRARY"] = str(self.folder / "nowhere.so")
            with self.assertRaisesRegex(SystemExit, "is not a file"):
                self.backend._library()
            del os.environ["TRACELITE_LIBRARY"]
            with self.assertRaisesRegex(SystemExit, "build from a checkout"):
                self.backend._library()


class InstallTest(FolderCase):
    """The README's command in an empty virtual environment, without network."""

    def test_pip_install(self) -> None:
        environment = self.folder / "venv"
        made = subprocess.run(
            [sys.executable, "-m", "venv", str(environment)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
        )
        if made.returncode != 0:
            self.skipTest("no venv with pip in this Python")
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "PIP_", "VIRTUAL_ENV"))
        }
        clean.update(
            PATH=f"{environment / 'bin'}{os.pathsep}{clean.get('PATH', '')}",
            PIP_NO_INDEX="1",
            PIP_DISABLE_PIP_VERSION_CHECK="1",
            PIP_NO_CACHE_DIR="1",
            TRACELITE_LIBRARY=str(Path(_c.library()._name).resolve()),
        )
        command = blocks("sh")[0]
        done = subprocess.run(
            command,
            shell=True,
            cwd=ROOT,
            env=clean,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        del clean["TRACELITE_LIBRARY"]
        code = (
            "import tracelite\n"
            "with tracelite.Store('installed.tl') as store:\n"
            "    with store.span(name='works', session_id='s') as span:\n"
            "        span.append('yes')\n"
            "    store.flush()\n"
            "    print(tracelite.__file__, len(list(store.replay('s'))))\n"
        )
        used = subprocess.run(
            [
                str(environment / "bin" / "python"),
                "-X",
                "dev",
                "-W",
                "error",
                "-c",
                code,
            ],
            cwd=self.folder,
            env=clean,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        self.assertEqual((used.returncode, used.stderr), (0, ""))
        path, steps = used.stdout.split()
        self.assertTrue(path.startswith(str(environment)), path)
        self.assertEqual(steps, "4")


class TypeTest(FolderCase):
    """What a user's type checker sees."""

    def test_mypy(self) -> None:
        if not shutil.which("mypy"):
            self.skipTest("no mypy")
        program = self.folder / "program.py"
        program.write_text(
            "from tracelite import Store, Trace\n"
            "store = Store('x')\n"
            "span = store.span(name='a', type='agent', tags=['x'])\n"
            "span.update(output=1, level='ERROR')\n"
            "reveal_type(store.traces(user_id='ada', limit=3))\n"
            "reveal_type(store.put_trace('t', name='n'))\n"
            "reveal_type(span.span(name='child'))\n"
            "span.update(outptu=1)\n"
            "span.update(name=3)\n"
            "store.traces(nmae='x')\n"
        )
        result = subprocess.run(
            [
                "mypy",
                "--strict",
                "--cache-dir",
                str(self.folder / "cache"),
                str(program),
            ],
            env={**os.environ, "MYPYPATH": str(PACKAGE)},
            stdout=subprocess.PIPE,
            universal_newlines=True,
        )
        for part in (
            "program.py:5: note: Revealed type is",
            'Rows[tracelite._rows.Trace]"',
            'program.py:6: note: Revealed type is "builtins.str"',
            'program.py:7: note: Revealed type is "tracelite._span.Span"',
            'program.py:8: error: Unexpected keyword argument "outptu"',
            'program.py:9: error: Argument "name"',
            'program.py:10: error: Unexpected keyword argument "nmae"',
            "Found 3 errors in 1 file",
        ):
            self.assertIn(part, result.stdout)


if __name__ == "__main__":
    unittest.main()
