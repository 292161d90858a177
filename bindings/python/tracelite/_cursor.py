"""Rows, as the library's cursors give them."""

from __future__ import annotations

import ctypes
import sys
import threading
import weakref
from datetime import timedelta
from itertools import islice
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Generic,
    Optional,
    Tuple,
    TypeVar,
    Union,
)

from . import _c
from ._c import Field, Kind, ReadMode, Status
from ._decoding import (
    group_of,
    observation_of,
    score_of,
    session_of,
    step_of,
    trace_of,
)
from ._errors import InternalError, InvalidError, MisuseError, TraceliteError, check
from ._origin import Origin
from ._rows import Aggregate, Observation, Score, Session, Step, Trace
from ._values import UINT64_MAX, Form, Payload, integer_of

if TYPE_CHECKING:
    if sys.version_info >= (3, 11):
        from typing import Self
    else:
        from typing_extensions import Self

    from ._reader import Reader

_T = TypeVar("_T")
Decode = Callable[[_c.Row, Origin], _T]

_PREVIEWS = {"input": Field.INPUT, "output": Field.OUTPUT, "metadata": Field.METADATA}


class Rows(Generic[_T]):
    """An iterator over rows, which reads as it goes. It sees one state of the file; close it (or
    use it up, or leave its `with` block) soon, because it keeps the file from reusing pages.
    """

    def __init__(
        self,
        reader: Reader,
        decode: Decode[_T],
    ) -> None:
        self._reader = reader
        self._gate = reader._gate
        self._lib = reader._lib
        self._free = self._lib.tl_cursor_close
        # Made before the library fills it, so that no interruption can lose it.
        self._handle = ctypes.c_void_p()
        self._decode = decode
        self._has_position = False  # only lists have
        self._lock = threading.Lock()
        self._free_lock = threading.Lock()  # held by who frees the cursor, or cancels without _lock
        self._self: weakref.ref[Rows[Any]] = weakref.ref(self)
        self._row = _c.Row()
        self._row.struct_size = ctypes.sizeof(_c.Row)
        self._count = 0
        self._position: Optional[str] = None

    @property
    def _cursor(self) -> Optional[int]:
        return self._handle.value

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> _T:
        with self._gate.call():
            self._gate.handle()
            with self._lock:
                if self._cursor is None:
                    raise StopIteration
                row = self._row
                row.struct_size = ctypes.sizeof(_c.Row)
                status = self._lib.tl_next(self._cursor, ctypes.byref(row))
                if status != Status.DONE:
                    check(self._lib, status)
                    self._count += 1
                    return self._decode(row, _Origin(self._reader, self._self, self._count))
                self._position = self._read_position()
        with self._lock:  # outside of the call, so that it is freed now
            self._close()
        raise StopIteration

    def skip(self, count: Optional[int] = None) -> int:
        """Passes over so many rows, or all that are left, without making anything of them. Returns
        how many there were."""
        if count is not None:
            count = integer_of(count, "count", 0, UINT64_MAX)
        decode, self._decode = self._decode, _unread
        try:
            most = None if count is None else min(count, sys.maxsize)  # more than can ever come
            return sum(1 for _ in islice(self, most))
        finally:
            self._decode = decode

    def to_pandas(self, *, payloads: bool = True) -> Any:
        """The rows that are left as a pandas.DataFrame: a column for each of their fields, those of
        an aggregate among them. Times are UTC, costs floats, input, output and metadata Python
        values; these are left out without `payloads`. Raises ImportError where there is no pandas.
        """
        from ._tables import pandas_of

        with self:
            return pandas_of(self, self._row_class, payloads)

    def to_arrow(self, *, payloads: bool = True) -> Any:
        """As to_pandas, a pyarrow.Table. Costs are exact decimals; input, output and metadata are
        JSON, bytes in it as {"$bytes": base64}. Raises ImportError where there is no pyarrow."""
        from ._tables import arrow_of

        with self:
            return arrow_of(self, self._row_class, payloads)

    @property
    def _row_class(self) -> type:
        try:
            return _CLASS[self._decode]
        except KeyError:
            raise MisuseError(
                "changes are traces, observations and scores, which have no columns in common: "
                "make a table of a list of one of these, such as store.observations(...)"
            ) from None

    @property
    def position(self) -> Optional[str]:
        """The position after the row that came last, for `after` of a later list of the same kind,
        filter and order. None before the first row, and for a replay."""
        if self._cursor is None:
            return self._position
        with self._gate.call():
            self._gate.handle()
            with self._lock:
                return self._position if self._cursor is None else self._read_position()

    def _read_position(self) -> Optional[str]:
        if self._count == 0 or not self._has_position:
            return None
        text = _c.TextOut()
        check(self._lib, self._lib.tl_position(self._cursor, ctypes.byref(text)))
        return _c.text_of(text.data, text.size_bytes)

    def _payload(
        self, number: int, field: Field, form: Form, size_bytes: int, mode: ReadMode
    ) -> Optional[Payload]:
        """A payload of the row with this number, from 1; None if another row has come since."""
        with self._gate.call():
            self._gate.handle()
            with self._lock:
                if self._cursor is None or self._count != number:
                    return None
                if mode is not ReadMode.GIVEN:
                    size = ctypes.c_uint64()
                    check(
                        self._lib,
                        self._lib.tl_payload_size(self._cursor, field, mode, ctypes.byref(size)),
                    )
                    size_bytes = size.value
                return Payload(form, read_payload(self._lib, self._cursor, field, mode, size_bytes))

    def preview(self, field: str, characters: int = 200) -> str:
        """How a payload of the row that came last begins: up to so many characters of its "input",
        "output" or "metadata", with references in the place of media; of bytes as many bytes, those
        that are not UTF-8 replaced. "" if it is absent. Reads no more of it than that needs."""
        if field not in _PREVIEWS:
            raise InvalidError(f"{field!r} is no payload: input, output, metadata", field="field")
        characters = integer_of(characters, "characters", 1, 1_000_000)
        text = _c.TextOut()
        with self._gate.call():
            self._gate.handle()
            with self._lock:
                if self._cursor is None:
                    raise MisuseError("there is no row: the iteration has ended")
                if self._count == 0:
                    raise MisuseError("there is no row: take the first one with next()")
                check(
                    self._lib,
                    self._lib.tl_preview(
                        self._cursor, _PREVIEWS[field], characters, ctypes.byref(text)
                    ),
                )
                if not text.data:
                    return ""
                return ctypes.string_at(text.data, text.size_bytes).decode("utf-8", "replace")

    def cancel(self) -> None:
        """Makes the iteration raise CancelledError: the step that another thread is waiting for,
        within a millisecond or so, and every later one. Any thread may call it, at any time; after
        the end it does nothing."""
        with self._gate.call():
            self._gate.handle()
            with self._free_lock:
                if self._cursor is not None:
                    check(self._lib, self._lib.tl_cursor_cancel(self._cursor))

    def close(self) -> None:
        """Ends the iteration. More than one close is fine."""
        try:
            self._position = self.position
        except TraceliteError:  # the store is closed, or was forked
            pass
        if not self._gate.is_forked:
            with self._lock:
                self._close()

    def _close(self) -> None:
        cursor = self._handle.value
        if cursor is not None:
            with self._free_lock:
                self._handle.value = None
                self._gate.free(self._free, cursor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        # In a child process another thread may have held _free_lock at the fork.
        if getattr(self, "_handle", None) and not self._gate.is_forked:
            self._close()


# Reads up to so many bytes from an offset to an address, and says how many.
_ReadPiece = Callable[[int, int, int, Any], int]


def read_pieces(lib: ctypes.CDLL, size_bytes: int, read_piece: _ReadPiece) -> bytes:
    if size_bytes == 0:
        return b""
    data = bytearray(size_bytes)
    pin = ctypes.c_char.from_buffer(data)
    address = ctypes.addressof(pin)
    done = 0
    count = ctypes.c_size_t()
    while done < size_bytes:
        check(lib, read_piece(done, address + done, size_bytes - done, ctypes.byref(count)))
        if count.value == 0:
            raise InternalError(f"what has {size_bytes} bytes ended after {done}")
        done += count.value
    return bytes(data)


def read_payload(
    lib: ctypes.CDLL, cursor: int, field: Field, mode: ReadMode, size_bytes: int
) -> bytes:
    def read_piece(offset: int, address: int, capacity_bytes: int, count: Any) -> int:
        status: int = lib.tl_payload_read(
            cursor, field, mode, offset, address, capacity_bytes, count
        )
        return status

    return read_pieces(lib, size_bytes, read_piece)


class _Origin:
    """A row's way back: through the cursor while it stands on the row, else by id."""

    __slots__ = ("_reader", "_rows", "_number")

    def __init__(self, reader: Reader, rows: weakref.ref[Rows[Any]], number: int) -> None:
        self._reader = reader
        self._rows = rows
        self._number = number

    def payload(
        self,
        kind: Kind,
        trace_id: Optional[str],
        id: str,
        field: Field,
        form: Form,
        size: int,
        mode: ReadMode,
    ) -> Payload:
        rows = self._rows()
        payload = None if rows is None else rows._payload(self._number, field, form, size, mode)
        return payload or self._reader._payload(kind, trace_id, id, field, mode)

    def tree(self, trace_id: str) -> Tuple[Observation, ...]:
        return self._reader._tree(trace_id).observations

    def replay(
        self, session_id: str, speed: float, max_gap: Union[float, timedelta, None]
    ) -> Rows[Step]:
        return self._reader._lasting().replay(session_id, speed=speed, max_gap=max_gap)

    def traces(self, session_id: str) -> Rows[Trace]:
        return self._reader._lasting().traces(session_id=session_id, ascending=True)


def _unread(row: _c.Row, origin: Origin) -> Any:
    return None


_CLASS: Dict[Any, type] = {
    trace_of: Trace,
    observation_of: Observation,
    score_of: Score,
    session_of: Session,
    group_of: Aggregate,
    step_of: Step,
}
