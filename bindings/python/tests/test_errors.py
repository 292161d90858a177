"""Errors: an exception for each status."""

import ctypes
import pickle
import unittest
from types import SimpleNamespace
from typing import Any

import tracelite
from tracelite import (
    DiskFullError,
    InvalidError,
    NotFoundError,
    PermissionDeniedError,
    Status,
    TimedOutError,
    TraceliteError,
    _c,
)
from tracelite._errors import last_error


class ErrorTest(unittest.TestCase):
    def test_one_exception_for_each_status(self) -> None:
        kinds = {kind.status: kind for kind in TraceliteError.__subclasses__()}
        self.assertEqual(set(kinds), set(Status) - {Status.OK, Status.DONE})
        for kind in kinds.values():
            self.assertIs(getattr(tracelite, kind.__name__), kind)

    def test_builtin_kinds(self) -> None:
        for kind, builtin in (
            (InvalidError, ValueError),
            (NotFoundError, LookupError),
            (PermissionDeniedError, PermissionError),
            (TimedOutError, TimeoutError),
            (tracelite.NoMemoryError, MemoryError),
            (tracelite.IoError, OSError),
            (tracelite.DiskFullError, OSError),
        ):
            self.assertTrue(issubclass(kind, builtin))

    def test_what_an_error_says(self) -> None:
        error = tracelite.DiskFullError("no room left", field="path", engine_code=28)
        self.assertEqual((str(error), error.errno), ("no room left", 28))
        self.assertEqual((error.field, error.engine_code), ("path", 28))
        self.assertIs(error.status, Status.DISK_FULL)
        for kind in TraceliteError.__subclasses__():
            made = kind("text", field="f", engine_code=-30780)
            copy = pickle.loads(pickle.dumps(made))
            self.assertIs(type(copy), kind)
            self.assertEqual((str(copy), copy.field, copy.engine_code), ("text", "f", -30780))

    def test_options_have_their_names_of_here(self) -> None:
        info = _c.ErrorInfo(Status.BUSY, 0, b"", b"is open with TL_OPEN_IMMUTABLE")
        lib: Any = SimpleNamespace(tl_error=lambda: ctypes.pointer(info))
        self.assertEqual(str(last_error(lib, Status.BUSY)), "is open with immutable")

    def test_what_an_error_knows_is_pickled(self) -> None:
        expired = tracelite.ExpiredError("text")
        expired.position = 7
        failed = DiskFullError("no room left", engine_code=28)
        failed.dropped_count = 3
        failed.report = tracelite.DeleteReport(1, 2, 3, 4)
        self.assertEqual(pickle.loads(pickle.dumps(expired)).position, 7)
        copy = pickle.loads(pickle.dumps(failed))
        self.assertEqual((copy.dropped_count, copy.report), (3, failed.report))
        self.assertEqual((str(copy), copy.errno), ("no room left", 28))


if __name__ == "__main__":
    unittest.main()
