"""An open file of the library: its handle, its callbacks, and its closing when the program exits."""

from __future__ import annotations

import atexit
import ctypes
import logging
import os
import sys
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from . import _c
from ._c import Field
from ._errors import ForkedError, InvalidError, TraceliteError, check, last_error
from ._events import Target, reason_name
from ._gate import Gate, callback_of_writer
from ._reports import CloseReport
from ._values import NULL, Form, Payload, milliseconds_of, payload_of

Mask = Callable[[str, Payload], object]
Log = Callable[[int, str, str], object]

logger = logging.getLogger("tracelite")
EXIT_TIMEOUT_S = 10.0  # for each store that a program leaves open
_LOG_LEVELS = {1: logging.DEBUG, 2: logging.INFO, 3: logging.WARNING, 4: logging.ERROR}


class Opened:
    """An open file: the handle, and what must live as long as it. Outlives its Store if that is
    dropped where it cannot be closed."""

    def __init__(
        self, lib: ctypes.CDLL, handle: int, path: bytes, callbacks: Tuple[object, ...]
    ) -> None:
        self.lib = lib
        file = os.path.realpath(path)  # beside which its lock file lies, wherever the program goes
        self.files = (file, file + b"-lock")
        self.gate = Gate(handle)
        self.callbacks = callbacks
        _open_stores.add(self)
        _flush_with_multiprocessing()

    def flush(self, timeout: Optional[float]) -> int:
        position = ctypes.c_uint64()
        timeout_ms = milliseconds_of(timeout, "timeout")
        with self.gate.call():
            self.gate.check_may_wait()
            handle = self.gate.handle()
            check(self.lib, self.lib.tl_flush(handle, timeout_ms, ctypes.byref(position)))
        return position.value

    def close(self, timeout: Optional[float]) -> Optional[CloseReport]:
        timeout_ms = milliseconds_of(timeout, "timeout")
        report = _c.CloseReport()
        report.struct_size = ctypes.sizeof(report)

        def close(handle: int) -> Optional[TraceliteError]:
            status = self.lib.tl_close(handle, timeout_ms, ctypes.byref(report))
            return last_error(self.lib, status) if status else None

        try:
            error = self.gate.close(timeout, close)
        finally:
            if self.gate.is_closed or self.gate.is_forked:
                _open_stores.discard(self)
        if error is not None:
            error.dropped_count = report.dropped_count
            raise error
        return CloseReport(report.open_span_count)


_open_stores: Set[Opened] = set()


def check_target(target: Target) -> None:
    """Raises InvalidError for a path or file that is one of an open store: writing to it would
    destroy the store."""
    found = _stat_of(target)
    if found is None:
        return
    for opened in list(_open_stores):
        for file in opened.files:
            own = _stat_of(file)
            if own is not None and os.path.samestat(found, own):
                raise InvalidError(
                    f"target is {os.fsdecode(file)!r}, the file of a store that is open",
                    field="target",
                )


def _stat_of(target: Any) -> Optional[os.stat_result]:
    """None where there is no such file, or what is written to is none."""
    try:
        if isinstance(target, (str, bytes, os.PathLike)):
            return os.stat(target)
        return os.fstat(target.fileno())
    except (AttributeError, OSError, TypeError, ValueError):
        return None


@atexit.register
def _close_open_stores() -> None:
    for opened in list(_open_stores):
        try:
            opened.close(EXIT_TIMEOUT_S)
        except TraceliteError as error:
            logger.error("closing a store at exit: %s", error)


# Before a child of multiprocessing waits for its own children, and behind what its program does.
_FLUSH_PRIORITIES = (1, -1000)
_finalizers: Dict[int, Any] = {}  # of this process, by priority
_is_asked_again = False  # by multiprocessing, in each of its children that begins


def _flush_with_multiprocessing() -> None:
    # A child of multiprocessing ends by os._exit, after the finalizers of its own module. (One that
    # was spawned runs exit handlers then, and closes its stores there.)
    global _is_asked_again
    process = sys.modules.get("multiprocessing.process")
    # Another thread may be importing it.
    parent_process = getattr(process, "parent_process", None)
    if parent_process is None:
        return
    if parent_process() is None:
        # A child of a forkserver imports the program before it knows that it is one.
        util = sys.modules.get("multiprocessing.util")
        register_after_fork = getattr(util, "register_after_fork", None)
        if register_after_fork is not None and not _is_asked_again:
            register_after_fork(_flush_open_stores, lambda _: _flush_with_multiprocessing())
            _is_asked_again = True
        return
    for priority in _FLUSH_PRIORITIES:
        # One that has run is gone, and others that run after it may open a store.
        finalizer = _finalizers.get(priority)
        if finalizer is None or not finalizer.still_active():
            from multiprocessing.util import Finalize

            _finalizers[priority] = Finalize(None, _flush_open_stores, exitpriority=priority)


# They stay open: what runs behind this may record, and threads that the child still waits for.
def _flush_open_stores() -> None:
    for opened in list(_open_stores):
        try:
            opened.flush(EXIT_TIMEOUT_S)
        except ForkedError:
            pass
        except TraceliteError as error:
            logger.error("flushing a store at exit: %s", error)


def _after_fork_in_child() -> None:
    _finalizers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def log_callback(lib: ctypes.CDLL, log: Log) -> Any:
    def call(context: object, level: int, reason: int, message: bytes) -> None:
        with callback_of_writer():
            text = message.decode("utf-8", "replace")
            log(_LOG_LEVELS.get(level, logging.WARNING), reason_name(lib, reason), text)

    return _c.LogFn(call)


def mask_callback(mask: Mask) -> Any:
    stored: List[bytes] = [b""]  # valid until the next call

    def call(context: object, field: int, value: Any, masked: Any) -> int:
        try:
            with callback_of_writer():
                struct = value.contents
                data = ctypes.string_at(struct.data, struct.size_bytes) if struct.data else b""
                given = Payload(Form.of(struct.form), data)
                name = Field(field).name.lower()
                result = mask(name, given)
                if result is given:
                    return 0
                payload = NULL if result is None else payload_of(result, name)
                stored[0] = payload.data
                masked[0].form = payload.form.code
                masked[0].data = ctypes.cast(ctypes.c_char_p(stored[0]), ctypes.c_void_p).value
                masked[0].size_bytes = len(stored[0])
                return 0
        except BaseException as error:
            # Without the message, which may hold the value.
            logger.error("the mask failed with %s", type(error).__name__)
            return 1

    return _c.MaskFn(call)
