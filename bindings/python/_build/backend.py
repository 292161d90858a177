"""Builds wheels and source distributions of tracelite with nothing but Python's library.

An in-tree build backend (PEP 517 and 660), so that `pip install ./bindings/python` needs no
network. The shared library is taken from TRACELITE_LIBRARY, else from the checkout's
build/release/lib, where `./dev build` (or cmake, in an unpacked source distribution) makes it.

A library that needs nothing but what every Linux has makes a wheel for every Linux with this
machine's glibc or a newer one; `./dev wheel` (wheel.sh beside this file) builds such a one. Any
other makes a wheel for machines like this one.
"""

import base64
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

PACKAGE = Path(__file__).resolve().parent.parent
NAME = "tracelite"
LIBRARY_VARIABLE = "TRACELITE_LIBRARY"

# What a source distribution holds of the checkout, besides the package.
NATIVE_SOURCES = ("CMakeLists.txt", "CMakePresets.json", "LICENSE", "include", "lib")

Settings = Optional[Mapping[str, Any]]


# ----------------------------------------------------------------------------------------- hooks


def get_requires_for_build_wheel(config_settings: Settings = None) -> List[str]:
    return []


def get_requires_for_build_sdist(config_settings: Settings = None) -> List[str]:
    return []


def get_requires_for_build_editable(config_settings: Settings = None) -> List[str]:
    return []


def prepare_metadata_for_build_wheel(
    metadata_directory: str, config_settings: Settings = None
) -> str:
    folder = f"{NAME}-{_project('version')}.dist-info"
    target = Path(metadata_directory) / folder
    target.mkdir(parents=True, exist_ok=True)
    (target / "METADATA").write_text(_metadata(), encoding="utf-8")
    return folder


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def build_wheel(
    wheel_directory: str,
    config_settings: Settings = None,
    metadata_directory: Optional[str] = None,
) -> str:
    """A wheel with the shared library beside the package's modules."""
    files = {path.relative_to(PACKAGE).as_posix(): path.read_bytes() for path in _modules()}
    with tempfile.TemporaryDirectory() as folder:
        library = _stripped(_library(), Path(folder))
        files[f"{NAME}/{_library_name()}"] = library.read_bytes()
        tag = _tag(library)
    return _write_wheel(wheel_directory, tag, files)


def build_editable(
    wheel_directory: str,
    config_settings: Settings = None,
    metadata_directory: Optional[str] = None,
) -> str:
    """A wheel that points at this folder; the library is the checkout's."""
    _library()
    pointer = f"{PACKAGE}\n".encode()
    return _write_wheel(wheel_directory, "py3-none-any", {f"__editable__.{NAME}.pth": pointer})


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    """The package and the sources of the library, under native/."""
    stem = f"{NAME}-{_project('version')}"
    files: Dict[str, bytes] = {"PKG-INFO": _metadata().encode()}
    for name in ("pyproject.toml", "README.md"):
        files[name] = (PACKAGE / name).read_bytes()
    for path in [*_modules(), *sorted((PACKAGE / "_build").glob("*.py"))]:
        files[path.relative_to(PACKAGE).as_posix()] = path.read_bytes()
    root = _native_root()
    for name in NATIVE_SOURCES:
        start = root / name
        for path in [start] if start.is_file() else sorted(start.rglob("*")):
            if path.is_file():
                files["native/" + path.relative_to(root).as_posix()] = path.read_bytes()
    target = Path(sdist_directory) / f"{stem}.tar.gz"
    with tarfile.open(target, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(f"{stem}/{name}")
            entry.size = len(data)
            entry.mtime = _build_time()
            archive.addfile(entry, io.BytesIO(data))
    return target.name


# ----------------------------------------------------------------------------------- the library


def _library_name() -> str:
    if sys.platform == "win32":
        return "tracelite.dll"
    return "libtracelite.dylib" if sys.platform == "darwin" else "libtracelite.so"


def _native_root() -> Path:
    """Where the library's sources are: in the checkout, or in the source distribution."""
    for root in (PACKAGE.parent.parent, PACKAGE / "native"):
        if (root / "include" / "tracelite" / "tracelite.h").is_file():
            return root
    raise SystemExit(
        f"the sources of the library are not beside {PACKAGE}: build from a checkout of tracelite, "
        f"or set {LIBRARY_VARIABLE} to the path of a library that is built"
    )


def _library() -> Path:
    """The shared library, built where it is absent."""
    named = os.environ.get(LIBRARY_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise SystemExit(f"{LIBRARY_VARIABLE}={named} is not a file")
        return Path(named)
    root = _native_root()
    library = root / "build" / "release" / "lib" / _library_name()
    if library.is_file():
        return library
    if (root / "dev").is_file() and shutil.which("bash"):
        _run(["bash", "dev", "build", "release", "tracelite"], root)
    else:
        folder = library.parent.parent
        options = ["-DTRACELITE_TESTS=OFF", "-DTRACELITE_CLI=OFF"]
        options += ["-DTRACELITE_WARNINGS_AS_ERRORS=OFF", "-DCMAKE_BUILD_TYPE=Release"]
        _run(["cmake", "-S", str(root), "-B", str(folder), *options], root)
        jobs = str(os.cpu_count() or 1)
        _run(["cmake", "--build", str(folder), "--target", "tracelite", "--parallel", jobs], root)
    if not library.is_file():
        raise SystemExit(f"the build made no {library}")
    return library


def _run(command: List[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise SystemExit(f"{command[0]} is needed to build the library, and missing") from None
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"`{' '.join(command)}` failed: exit code {error.returncode}") from None


def _stripped(library: Path, folder: Path) -> Path:
    """A copy without debug information, where there is a tool that takes it out."""
    copy = folder / _library_name()
    shutil.copyfile(library, copy)
    strip = shutil.which("strip")
    if strip and sys.platform.startswith("linux"):
        subprocess.run([strip, "--strip-debug", str(copy)], check=False)
    return copy


# ------------------------------------------------------------------------------------ the wheels


def _modules() -> List[Path]:
    folder = PACKAGE / NAME
    return sorted([*folder.rglob("*.py"), folder / "py.typed"])


def _project(key: str) -> str:
    """A text of [project] in pyproject.toml (Python before 3.11 has no reader for TOML)."""
    text = (PACKAGE / "pyproject.toml").read_text(encoding="utf-8")
    table = text.split("[project]\n", 1)[1].split("\n[", 1)[0]
    match = re.search(rf'^{re.escape(key)} = "(.*)"$', table, re.MULTILINE)
    if match is None:
        raise SystemExit(f"pyproject.toml has no {key}")
    return match.group(1)


def _metadata() -> str:
    readme = (PACKAGE / "README.md").read_text(encoding="utf-8")
    return (
        "Metadata-Version: 2.1\n"
        f"Name: {NAME}\n"
        f"Version: {_project('version')}\n"
        f"Summary: {_project('description')}\n"
        "License: MIT\n"
        f"Requires-Python: {_project('requires-python')}\n"
        "Description-Content-Type: text/markdown\n"
        "\n"
        f"{readme}"
    )


# What PEP 600 takes for granted, of what a C++ library may need.
_OF_EVERY_LINUX = re.compile(
    r"(libc|libm|libdl|librt|libpthread|libgcc_s|libstdc\+\+|ld-linux[-\w]*)\.so\.\d+"
)


def needed_libraries(library: Path) -> Optional[List[str]]:
    """The libraries that this one asks the system for; None where there is no tool that tells."""
    readelf = shutil.which("readelf")
    if readelf is None:
        return None
    told = subprocess.run(
        [readelf, "--dynamic", "--wide", str(library)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        universal_newlines=True,
        check=False,
    )
    return re.findall(r"\(NEEDED\).*\[(.*)\]", told.stdout) if told.returncode == 0 else None


def _tag(library: Path) -> str:
    platform = re.sub(r"[^a-zA-Z0-9_]", "_", sysconfig.get_platform())
    if platform.startswith("linux_"):
        needed = needed_libraries(library)
        glibc = re.fullmatch(r"glibc (\d+)\.(\d+).*", _libc_version())
        if needed and glibc and all(_OF_EVERY_LINUX.fullmatch(name) for name in needed):
            machine = platform[len("linux_") :]
            platform = f"manylinux_{glibc[1]}_{glibc[2]}_{machine}"
    return f"py3-none-{platform}"


def _libc_version() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, OSError, ValueError):
        return ""


def _wheel_text(tag: str) -> str:
    pure = "true" if tag.endswith("-any") else "false"
    return (
        "Wheel-Version: 1.0\n"
        f"Generator: {NAME} {_project('version')}\n"
        f"Root-Is-Purelib: {pure}\n"
        f"Tag: {tag}\n"
    )


def _build_time() -> int:
    """SOURCE_DATE_EPOCH, else the first moment that a zip file can say: builds are repeatable."""
    return int(os.environ.get("SOURCE_DATE_EPOCH", 315532800))


def _write_wheel(wheel_directory: str, tag: str, files: Dict[str, bytes]) -> str:
    stem = f"{NAME}-{_project('version')}"
    info = f"{stem}.dist-info"
    entries: List[Tuple[str, bytes]] = sorted(files.items())
    entries.append((f"{info}/METADATA", _metadata().encode()))
    entries.append((f"{info}/WHEEL", _wheel_text(tag).encode()))
    record = "".join(f"{name},{_digest(data)},{len(data)}\n" for name, data in entries)
    entries.append((f"{info}/RECORD", f"{record}{info}/RECORD,,\n".encode()))

    target = Path(wheel_directory) / f"{stem}-{tag}.whl"
    moment = time.gmtime(_build_time())[:6]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            entry = zipfile.ZipInfo(name, moment)
            entry.compress_type = zipfile.ZIP_DEFLATED
            mode = 0o755 if name.endswith(_library_name()) else 0o644
            entry.external_attr = (0o100000 | mode) << 16
            archive.writestr(entry, data)
    return target.name


def _digest(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return "sha256=" + digest.decode()


if __name__ == "__main__":
    print(Path(sys.argv[1], build_wheel(sys.argv[1])))
