"""Lets `import langfuse` mean this package, for programs that are not to be changed."""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Optional, Sequence

NAME = "langfuse"
TARGET = __package__ or "tracelite.langfuse"
# Holds a package `langfuse` that does what install does: for processes that the program starts.
SHIM = str(Path(__file__).resolve().parent / "_shim")


class _Loader(importlib.abc.Loader):
    def __init__(self, target: str) -> None:
        self._target = target

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._target)
        self._own = module.__spec__, module.__loader__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The machinery has given the module the spec of its alias.
        module.__spec__, module.__loader__ = self._own


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, name: str, path: Optional[Sequence[str]], target: Optional[ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        if name != NAME and not name.startswith(NAME + "."):
            return None
        own = TARGET + name[len(NAME) :]
        try:
            found = importlib.util.find_spec(own)
        except ImportError:
            found = None
        if found is None:
            raise ModuleNotFoundError(f"tracelite has no {name} yet", name=name)
        is_package = found.submodule_search_locations is not None
        return importlib.machinery.ModuleSpec(name, _Loader(own), is_package=is_package)


def install() -> None:
    """`langfuse` and its modules are this package from here on, even where Langfuse is installed;
    in this process, and in those that it starts."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    for name in [name for name in sys.modules if name == NAME or name.startswith(NAME + ".")]:
        if not sys.modules[name].__name__.startswith(TARGET):
            del sys.modules[name]
    sys.modules[NAME] = importlib.import_module(TARGET)


def install_for_children() -> None:
    """The same in processes of Python that this one starts: by its environment, and, where
    multiprocessing hands its own down, by its path."""
    if SHIM not in sys.path:
        sys.path.insert(1, SHIM)
    home = str(Path(__file__).resolve().parent.parent.parent)
    paths = [SHIM, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([*filter(None, paths), home]))
