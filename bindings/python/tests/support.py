"""What the tests share."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict, List, Optional

from tracelite import Store

PACKAGE = Path(__file__).resolve().parent.parent
ROOT = PACKAGE.parent.parent
README = PACKAGE / "README.md"
SECOND = 1_000_000_000
# 2024-05-15T15:00:00Z, which the tests' made-up times start from.
T0 = 1_715_785_200 * SECOND


def blocks(language: str) -> List[str]:
    """The blocks of code in the README: `python` run as one program, `py` need something that is
    not there, and are run with something in its place."""
    text = README.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


class FolderCase(unittest.TestCase):
    """A case with a folder of its own."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tracelite-test-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.path = self.folder / "test.tl"


class StoreCase(FolderCase):
    """A case with an open store of its own."""

    options: Dict[str, Any] = {}

    def setUp(self) -> None:
        super().setUp()
        self.store = Store(self.path, **self.options)
        self.addCleanup(self.store.close)


def run_python(
    code: str,
    *arguments: str,
    environment: Optional[Dict[str, str]] = None,
    timeout: float = 120,
) -> "subprocess.CompletedProcess[str]":
    """Runs a program in a new interpreter that warns about everything, as an error."""
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(PACKAGE), **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=timeout,
    )
