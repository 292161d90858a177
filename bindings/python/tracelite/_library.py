"""Finds the shared library of tracelite and loads it."""

import ctypes
import ctypes.util
import os
import sys
from pathlib import Path
from typing import Iterator

ENVIRONMENT_VARIABLE = "TRACELITE_LIBRARY"

if sys.platform == "win32":
    FILE_NAME = "tracelite.dll"
elif sys.platform == "darwin":
    FILE_NAME = "libtracelite.dylib"
else:
    FILE_NAME = "libtracelite.so"


class LibraryError(ImportError):
    """The shared library cannot be found or loaded, or is of another version than this package."""


def load() -> ctypes.CDLL:
    """Loads the file that TRACELITE_LIBRARY names; where it is not set: the library beside this
    package, that of the source checkout the package lies in, or the one installed on the system.

    Raises LibraryError, which tells where it looked and what to do.
    """
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    if named:
        return _load(named, f"{ENVIRONMENT_VARIABLE}={named}")
    looked = []
    for path in _places():
        if path.is_file():
            return _load(str(path), str(path))
        looked.append(str(path))
    installed = ctypes.util.find_library("tracelite")
    if installed:
        return _load(installed, f"{installed} (installed on the system)")
    raise LibraryError(
        f"{FILE_NAME} was not found; looked for {', '.join(looked)}, and on the system. "
        f"Build it with `./dev build` in a checkout of tracelite, install this package with pip "
        f"from there, or set {ENVIRONMENT_VARIABLE} to the path of the library."
    )


def _places() -> Iterator[Path]:
    package = Path(__file__).resolve().parent
    yield package / FILE_NAME
    if len(package.parents) > 2:
        checkout = package.parents[2]
        if (checkout / "include" / "tracelite" / "tracelite.h").is_file():
            yield checkout / "build" / "release" / "lib" / FILE_NAME


def _load(name: str, origin: str) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        raise LibraryError(f"{origin} cannot be loaded: {error}") from error
