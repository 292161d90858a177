"""One exception for each status of the C API."""

import ctypes
from typing import Any, Dict, Optional, Tuple, Type

from ._c import Status

_ERRNO_MAX = 4095  # larger and negative engine codes are those of LMDB, SQLite and zstd


class TraceliteError(Exception):
    """A call that failed.

    status         why, as the C API names it
    field          the argument or field at fault, None if there is none
    engine_code    errno or the code of LMDB, SQLite or zstd, 0 if none
    dropped_count  of Store.close: the records that were lost
    report         of deleting and importing: the report of what was done before it failed
    """

    status: Status = Status.INTERNAL
    field: Optional[str] = None
    engine_code: int = 0
    dropped_count: int = 0
    report: Optional[object] = None

    def __init__(self, message: str, *, field: Optional[str] = None, engine_code: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.engine_code = engine_code
        if isinstance(self, OSError) and 0 < engine_code <= _ERRNO_MAX:
            setattr(self, "errno", engine_code)

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> Tuple[Any, ...]:
        made = (type(self), self.message, self.field, self.engine_code)
        return _rebuild, made, self.__dict__  # its report, say


def _rebuild(
    kind: Type[TraceliteError], message: str, field: Optional[str], engine_code: int
) -> TraceliteError:
    return kind(message, field=field, engine_code=engine_code)


class MisuseError(TraceliteError):
    """A closed or foreign handle, or a call that may not be made here."""

    status = Status.MISUSE


class InvalidError(TraceliteError, ValueError):
    """A value that the model refuses; `field` names it. Nothing was recorded."""

    status = Status.INVALID


class NotFoundError(TraceliteError, LookupError):
    """No such file, trace, observation, score or session."""

    status = Status.NOT_FOUND


class NotTraceliteError(TraceliteError):
    """The file is not a tracelite file."""

    status = Status.NOT_TRACELITE


class NewerFormatError(TraceliteError):
    """The file was written by a newer version of tracelite."""

    status = Status.NEWER_FORMAT


class OtherGeometryError(TraceliteError):
    """The file has a page size that this machine cannot use."""

    status = Status.OTHER_GEOMETRY


class CorruptError(TraceliteError):
    """The file is damaged."""

    status = Status.CORRUPT


class IoError(TraceliteError, OSError):
    """The operating system refused a read, write, sync or lock."""

    status = Status.IO


class DiskFullError(TraceliteError, OSError):
    """No room on the disk, or in the address space for the file."""

    status = Status.DISK_FULL


class PermissionDeniedError(TraceliteError, PermissionError):
    """The file or its folder may not be read or written."""

    status = Status.PERMISSION


class ReadOnlyError(TraceliteError):
    """A write on a store that was opened read-only."""

    status = Status.READ_ONLY


class NoMemoryError(TraceliteError, MemoryError):
    """Memory has run out."""

    status = Status.NO_MEMORY


class QueueFullError(TraceliteError):
    """The recording queue is full, and the record was dropped and counted."""

    status = Status.QUEUE_FULL


class TimedOutError(TraceliteError, TimeoutError):
    """The time given has run out; the work goes on in the background."""

    status = Status.TIMEOUT


class BusyError(TraceliteError):
    """Somebody holds what is needed; try again."""

    status = Status.BUSY


class ForkedError(TraceliteError):
    """The store belongs to the parent process: open the file again in this one."""

    status = Status.FORKED


class CancelledError(TraceliteError):
    """A callback asked to stop."""

    status = Status.CANCELLED


class UnsupportedError(TraceliteError):
    """This platform, file system or build cannot do it."""

    status = Status.UNSUPPORTED


class LimitError(TraceliteError):
    """A named limit would be passed."""

    status = Status.LIMIT


class InternalError(TraceliteError):
    """A bug in tracelite: please report it."""

    status = Status.INTERNAL


class ExpiredError(TraceliteError):
    """What is asked for is not known any more. Of changes: list anew, and go on from `position`.
    Of a payload: it was deleted or written anew since its row was read; read the row again.
    """

    status = Status.EXPIRED
    position: int = 0


BY_STATUS: Dict[int, Type[TraceliteError]] = {
    int(kind.status): kind for kind in TraceliteError.__subclasses__()
}


def last_error(lib: ctypes.CDLL, status: int) -> TraceliteError:
    """The error of this thread's last call, which returned this status."""
    info = lib.tl_error().contents
    field = info.field.decode("utf-8", "replace") or None
    message = info.message.decode("utf-8", "replace")
    message = message.replace("TL_OPEN_IMMUTABLE", "immutable")  # as it is called here
    if not message:
        name = lib.tl_status_name(status)
        message = name.decode() if name else f"status {status}"
    kind = BY_STATUS.get(status, InternalError)
    return kind(message, field=field, engine_code=info.engine_code)


def check(lib: ctypes.CDLL, status: int) -> None:
    """Raises what the status says, unless it is OK."""
    if status:
        raise last_error(lib, status)
