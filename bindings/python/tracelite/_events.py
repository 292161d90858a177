"""Langfuse ingestion events in and out, and the callbacks of long work."""

from __future__ import annotations

import ctypes
import os
from contextlib import closing
from dataclasses import dataclass
from typing import (
    IO,
    Any,
    BinaryIO,
    Callable,
    Generator,
    Iterable,
    List,
    Mapping,
    Optional,
    Tuple,
    Union,
)

from . import _c
from ._errors import InvalidError, check
from ._values import json_bytes

Path = Union[str, "os.PathLike[str]"]
Source = Union[
    Path, bytes, bytearray, IO[bytes], IO[str], Mapping[str, Any], Iterable[Mapping[str, Any]]
]
Target = Union[Path, BinaryIO]
Progress = Callable[[int, int], object]

_CHUNK_SIZE_BYTES = 1 << 18


@dataclass(frozen=True)
class Outcome:
    """What became of one event: line from 1 and index from 0 in the input, http_status 201
    (recorded) or 400 (refused), and for a failure or warning the reason, the field and a message.
    """

    line: int
    index: int
    event_id: Optional[str]
    http_status: int
    is_warning: bool
    reason: str
    field: Optional[str]
    message: Optional[str]


@dataclass(frozen=True)
class ImportReport:
    """What became of all events. succeeded_count includes those with warnings; ignored events are
    valid, but there is nothing in them to record."""

    event_count: int
    succeeded_count: int
    warned_count: int
    failed_count: int
    ignored_count: int
    failures: Tuple[Outcome, ...]
    warnings: Tuple[Outcome, ...]


class Caught:
    """Keeps what a callback raises, because nothing may pass through C, to raise it afterwards."""

    def __init__(self) -> None:
        self.error: Optional[BaseException] = None

    def __enter__(self) -> Caught:
        return self

    def __exit__(self, kind: Any, error: Optional[BaseException], traceback: Any) -> bool:
        if error is not None and self.error is None:
            self.error = error
        return True

    def raise_or_check(self, lib: ctypes.CDLL, status: int) -> None:
        """Raises what a callback raised, else what the status says."""
        if self.error is not None:
            try:
                raise self.error
            finally:
                self.error = None
        check(lib, status)

    def progress(self, callback: Optional[Progress]) -> Any:
        """A tl_progress_fn. Without a callback it gives Ctrl-C a chance."""

        def report(context: object, done: int, total: int) -> int:
            with self:
                if callback is not None:
                    callback(done, total)
            return 0 if self.error is None else 1

        return _c.ProgressFn(report)


def reason_name(lib: ctypes.CDLL, reason: int) -> str:
    """The short name of a tl_reason."""
    name: Optional[bytes] = lib.tl_reason_name(reason)
    return name.decode() if name else str(reason)


# ------------------------------------------------------------------------------------------- out


def write_events(
    lib: ctypes.CDLL,
    store: int,
    snapshot: Optional[int],
    filter: Optional[_c.Filter],
    target: Target,
    progress: Optional[Progress],
) -> None:
    """tl_export into a path or file."""
    if isinstance(target, (str, os.PathLike)):
        with open(target, "wb") as file:
            write_events(lib, store, snapshot, filter, file, progress)
        return
    caught = Caught()
    sink = target

    def write(context: object, data: int, size_bytes: int) -> int:
        with caught:
            rest = memoryview(ctypes.string_at(data, size_bytes))
            while rest:
                count = sink.write(rest)
                if count is None:
                    break
                rest = rest[count:]
        return 0 if caught.error is None else 1

    status = lib.tl_export(
        store,
        snapshot,
        filter,
        _c.FORMAT_LANGFUSE,
        _c.WriteFn(write),
        None,
        caught.progress(progress),
        None,
    )
    caught.raise_or_check(lib, status)


# -------------------------------------------------------------------------------------------- in


def read_events(
    lib: ctypes.CDLL,
    store: int,
    source: Source,
    outcome: Optional[Callable[[Outcome], object]],
    progress: Optional[Progress],
) -> ImportReport:
    """tl_import from whatever can be a source."""
    caught = Caught()
    failures: List[Outcome] = []
    warnings: List[Outcome] = []

    def take(context: object, pointer: Any) -> None:
        if caught.error is not None:
            return
        with caught:
            struct = pointer.contents
            if outcome is None and struct.http_status == 201 and not struct.is_warning:
                return
            each = Outcome(
                line=struct.line,
                index=struct.index,
                event_id=_c.text_of(struct.event_id, struct.event_id_size_bytes),
                http_status=struct.http_status,
                is_warning=bool(struct.is_warning),
                reason=reason_name(lib, struct.reason),
                field=_c.text_of(struct.field, struct.field_size_bytes),
                message=_c.text_of(struct.message, struct.message_size_bytes),
            )
            if outcome is not None:
                outcome(each)
            else:
                (warnings if each.is_warning else failures).append(each)

    with closing(_chunks(source)) as chunks:
        rest = memoryview(b"")

        def read(context: object, buffer: int, capacity_bytes: int) -> int:
            nonlocal rest
            with caught:
                while not rest:
                    chunk = next(chunks, None)
                    if chunk is None:
                        return 0 if caught.error is None else -1
                    rest = memoryview(chunk)
                part = bytes(rest[:capacity_bytes])
                rest = rest[capacity_bytes:]
                ctypes.memmove(buffer, part, len(part))
                if caught.error is None:
                    return len(part)
            return -1

        report = _c.ImportReport()
        report.struct_size = ctypes.sizeof(report)
        status = lib.tl_import(
            store,
            _c.FORMAT_LANGFUSE,
            _c.ReadFn(read),
            None,
            _c.OutcomeFn(take),
            None,
            caught.progress(progress),
            None,
            ctypes.byref(report),
        )
    caught.raise_or_check(lib, status)
    return ImportReport(
        event_count=report.event_count,
        succeeded_count=report.succeeded_count,
        warned_count=report.warned_count,
        failed_count=report.failed_count,
        ignored_count=report.ignored_count,
        failures=tuple(failures),
        warnings=tuple(warnings),
    )


def _chunks(source: Any) -> Generator[bytes, None, None]:
    if isinstance(source, (bytes, bytearray)):
        yield source
    elif isinstance(source, str) and source.lstrip()[:1] in ("{", "["):
        yield _encoded(source)
    elif isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            yield from _parts(file)
    elif hasattr(source, "read"):
        yield from _parts(source)
    elif isinstance(source, Mapping):
        yield json_bytes(source, "event")
    elif isinstance(source, Iterable):
        for event in source:
            if not isinstance(event, Mapping):
                raise InvalidError(f"an event is {event!r}, but must be a dict", field="event")
            yield json_bytes(event, "event") + b"\n"
    else:
        raise InvalidError(f"events cannot come from {source!r}", field="source")


def _parts(file: Any) -> Generator[bytes, None, None]:
    while True:
        part = file.read(_CHUNK_SIZE_BYTES)
        if not part:
            return
        yield _encoded(part) if isinstance(part, str) else part


def _encoded(text: str) -> bytes:
    # A lone surrogate makes its own event bad, not the call.
    return text.encode("utf-8", "surrogatepass")
