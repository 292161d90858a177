"""Errors: an exception for each status."""

import pickle
import unittest

import tracelite
from tracelite import (
    DiskFullError,
    InvalidError,
    NotFoundError,
    PermissionDeniedError,
    Status,
    TimedOutError,
    TraceliteError,
)


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


if __name__ == "__main__":
    unittest.main()
