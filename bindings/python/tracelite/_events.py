"""Langfuse ingestion events in and out, and the callbacks of long work."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from contextlib import closing, nullcontext
from dataclasses import dataclass
from types import FrameType
from typing import (
    IO,
    Any,
    BinaryIO,
    Callable,
    ContextManager,
    Dict,
    Generator,
    Iterable,
    List,
    Mapping,
    Optional,
    Tuple,
    Union,
)

from . import _c
from ._errors import InvalidError, TraceliteError, check
from ._handlers import exchange
from ._values import json_bytes

Path = Union[str, "os.PathLike[str]"]
Source = Union[
    Path,
    bytes,
    bytearray,
    IO[bytes],
    IO[str],
    Mapping[str, Any],
    Iterable[Mapping[str, Any]],
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
    """Keeps what callbacks raise, because nothing may pass through C, to raise it afterwards.

    with Caught() as caught:
        status = lib.tl_export(..., write, caught.progress(None), ...)  # write says: with caught.kept()
        caught.check(lib, status)

    Signal handlers that a program wrote, Ctrl-C's among them, may raise at any point of the main
    thread, the very first of a callback included, where nothing can be kept. So they are put off
    until there is a place for it.
    """

    def __init__(self) -> None:
        self._error: Optional[BaseException] = None
        self._handlers: Dict[int, Any] = {}  # the program's own
        self._pending: List[Tuple[int, Optional[FrameType]]] = []
        self._kept = _Kept(self)

    @property
    def is_empty(self) -> bool:
        return self._error is None

    def kept(self) -> _Kept:
        """Surrounds the body of a callback. Starts with the signals that were put off."""
        return self._kept

    def keep(self, error: BaseException) -> None:
        if self._error is None:
            self._error = error

    def run_signals(self) -> None:
        """Runs the handlers of the signals that came meanwhile."""
        while self._pending:
            number, frame = self._pending.pop(0)
            self._handlers[number](number, frame)

    def check(self, lib: ctypes.CDLL, status: int, report: Optional[object] = None) -> None:
        """Raises what a callback raised, else what the status says, with a report of what was done."""
        error, self._error = self._error, None
        if error is not None:
            raise error
        try:
            check(lib, status)
        except TraceliteError as failed:
            failed.report = report
            raise

    def progress(
        self, callback: Optional[Progress], around: ContextManager[object] = nullcontext()
    ) -> Any:
        """A tl_progress_fn, `around` each of its calls. Without a callback it gives Ctrl-C a
        chance."""

        def report(context: object, done: int, total: int) -> int:
            with self.kept(), around:
                self.run_signals()
                if callback is not None:
                    callback(done, total)
            return 0 if self.is_empty else 1

        return _c.ProgressFn(report)

    def __enter__(self) -> Caught:
        if threading.current_thread() is threading.main_thread():
            try:
                for number in signal.valid_signals():
                    handler = signal.getsignal(number)
                    if callable(handler):
                        self._handlers[number] = handler
                        exchange(number, self._put_off)
            except ValueError:  # the main thread of another interpreter
                pass
            except BaseException:
                self._restore()
                raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._restore()
        self.run_signals()

    def _put_off(self, number: int, frame: Optional[FrameType]) -> None:
        self._pending.append((number, frame))

    def _restore(self) -> None:
        error: Optional[BaseException] = None
        for number, handler in self._handlers.items():
            try:
                # A callback may have set another one.
                if signal.getsignal(number) == self._put_off:
                    exchange(number, handler)
            except BaseException as raised:  # by a handler that is back already
                error = raised
        if error is not None:
            raise error


class _Kept:
    """The context manager of Caught.kept()."""

    def __init__(self, caught: Caught) -> None:
        self._caught = caught

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Optional[BaseException], traceback: Any) -> bool:
        if error is not None:
            self._caught.keep(error)
        return True


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
    sink = target
    with Caught() as caught:

        def write(context: object, data: int, size_bytes: int) -> int:
            with caught.kept():
                caught.run_signals()
                rest = memoryview(ctypes.string_at(data, size_bytes))
                while rest:
                    count = sink.write(rest)
                    if count is None:
                        break
                    rest = rest[count:]
            return 0 if caught.is_empty else 1

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
        caught.check(lib, status)


# -------------------------------------------------------------------------------------------- in


def read_events(
    lib: ctypes.CDLL,
    store: int,
    source: Source,
    outcome: Optional[Callable[[Outcome], object]],
    progress: Optional[Progress],
) -> ImportReport:
    """tl_import from whatever can be a source."""
    failures: List[Outcome] = []
    warnings: List[Outcome] = []
    rest = memoryview(b"")
    report = _c.ImportReport()
    report.struct_size = ctypes.sizeof(report)

    with closing(_chunks(source)) as chunks, Caught() as caught:

        def read(context: object, buffer: int, capacity_bytes: int) -> int:
            nonlocal rest
            with caught.kept():
                caught.run_signals()
                while not rest:
                    chunk = next(chunks, None)
                    if chunk is None:
                        return 0 if caught.is_empty else -1
                    rest = memoryview(chunk)
                part = bytes(rest[:capacity_bytes])
                rest = rest[capacity_bytes:]
                ctypes.memmove(buffer, part, len(part))
                if caught.is_empty:
                    return len(part)
            return -1

        def take(context: object, pointer: Any) -> None:
            with caught.kept():
                struct = pointer.contents
                if outcome is None and struct.http_status == 201 and not struct.is_warning:
                    return
                if not caught.is_empty:
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
        done = ImportReport(
            event_count=report.event_count,
            succeeded_count=report.succeeded_count,
            warned_count=report.warned_count,
            failed_count=report.failed_count,
            ignored_count=report.ignored_count,
            failures=tuple(failures),
            warnings=tuple(warnings),
        )
        caught.check(lib, status, done)
    return done


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
