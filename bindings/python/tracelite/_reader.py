"""Reading: lists, trees, replays and payloads, through a store or a snapshot of it."""

from __future__ import annotations

import ctypes
import math
import threading
import weakref
from datetime import timedelta
from itertools import islice
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    ContextManager,
    Dict,
    Generic,
    Iterable,
    Optional,
    Tuple,
    TypeVar,
    Union,
)

from . import _c
from ._c import Field, Kind, ReadMode, Status
from ._errors import InternalError, InvalidError, MisuseError, TraceliteError, check
from ._events import Progress, Target, write_events
from ._fields import filter_struct, takes
from ._gate import Gate
from ._rows import (
    Aggregate,
    Media,
    Observation,
    Origin,
    Score,
    Session,
    Step,
    Trace,
    group_of,
    hide,
    observation_of,
    score_of,
    session_of,
    step_of,
    trace_of,
    with_children,
)
from ._values import (
    INT64_MAX,
    UINT64_MAX,
    Form,
    Level,
    ObservationType,
    Order,
    Payload,
    Time,
    integer_of,
    text_bytes,
)

if TYPE_CHECKING:
    import sys

    if sys.version_info >= (3, 11):
        from typing import Self
    else:
        from typing_extensions import Self

_T = TypeVar("_T")
_NO_TEXT = _c.Text(None, 0)


def listing(
    *,
    trace_id: Optional[str] = None,
    session_id: Optional[str] = None,
    user_id: Optional[str] = None,
    tags: Optional[Iterable[str]] = None,
    environment: Optional[str] = None,
    name: Optional[str] = None,
    release: Optional[str] = None,
    version: Optional[str] = None,
    level: Union[Level, str, None] = None,
    type: Union[ObservationType, str, None] = None,
    model: Optional[str] = None,
    metadata_key: Optional[str] = None,
    metadata_value: Union[str, int, float, bool, None] = None,
    from_time: Optional[Time] = None,
    to_time: Optional[Time] = None,
    order: Union[Order, str] = Order.TIME,
    ascending: bool = False,
    limit: Optional[int] = None,
    after: Optional[str] = None,
) -> None:
    """The template of the lists' parameters (see _fields.takes)."""


def exporting(
    target: Target,
    *,
    progress: Optional[Progress] = None,
    trace_id: Optional[str] = None,
    session_id: Optional[str] = None,
    user_id: Optional[str] = None,
    tags: Optional[Iterable[str]] = None,
    environment: Optional[str] = None,
    name: Optional[str] = None,
    release: Optional[str] = None,
    version: Optional[str] = None,
    level: Union[Level, str, None] = None,
    type: Union[ObservationType, str, None] = None,
    model: Optional[str] = None,
    metadata_key: Optional[str] = None,
    metadata_value: Union[str, int, float, bool, None] = None,
    from_time: Optional[Time] = None,
    to_time: Optional[Time] = None,
) -> None:
    """The template of export_events' parameters."""


def deleting(
    *,
    progress: Optional[Progress] = None,
    trace_id: Optional[str] = None,
    session_id: Optional[str] = None,
    user_id: Optional[str] = None,
    tags: Optional[Iterable[str]] = None,
    environment: Optional[str] = None,
    name: Optional[str] = None,
    release: Optional[str] = None,
    version: Optional[str] = None,
    level: Union[Level, str, None] = None,
    type: Union[ObservationType, str, None] = None,
    model: Optional[str] = None,
    metadata_key: Optional[str] = None,
    metadata_value: Union[str, int, float, bool, None] = None,
    from_time: Optional[Time] = None,
    to_time: Optional[Time] = None,
) -> None:
    """The template of delete's parameters."""


def deleting_securely(
    *,
    timeout: Optional[float] = None,
    progress: Optional[Progress] = None,
    trace_id: Optional[str] = None,
    session_id: Optional[str] = None,
    user_id: Optional[str] = None,
    tags: Optional[Iterable[str]] = None,
    environment: Optional[str] = None,
    name: Optional[str] = None,
    release: Optional[str] = None,
    version: Optional[str] = None,
    level: Union[Level, str, None] = None,
    type: Union[ObservationType, str, None] = None,
    model: Optional[str] = None,
    metadata_key: Optional[str] = None,
    metadata_value: Union[str, int, float, bool, None] = None,
    from_time: Optional[Time] = None,
    to_time: Optional[Time] = None,
) -> None:
    """The template of delete_securely's parameters."""


def following(
    *,
    position: Optional[int] = None,
    timeout: Optional[float] = None,
    trace_id: Optional[str] = None,
    session_id: Optional[str] = None,
    user_id: Optional[str] = None,
    tags: Optional[Iterable[str]] = None,
    environment: Optional[str] = None,
    name: Optional[str] = None,
    release: Optional[str] = None,
    version: Optional[str] = None,
    level: Union[Level, str, None] = None,
    type: Union[ObservationType, str, None] = None,
    model: Optional[str] = None,
    from_time: Optional[Time] = None,
    to_time: Optional[Time] = None,
) -> None:
    """The template of follow's parameters."""


_PREVIEWS = {"input": Field.INPUT, "output": Field.OUTPUT, "metadata": Field.METADATA}


class Rows(Generic[_T]):
    """An iterator over rows, which reads as it goes. It sees one state of the file; close it (or
    use it up, or leave its `with` block) soon, because it keeps the file from reusing pages.
    """

    def __init__(
        self,
        reader: Reader,
        decode: _Decode[_T],
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
            return sum(1 for _ in islice(self, count))
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
        return _CLASS[self._decode]

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
                return Payload(
                    form, _read_payload(self._lib, self._cursor, field, mode, size_bytes)
                )

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
        if getattr(self, "_handle", None):
            self._close()


# Reads up to so many bytes from an offset to an address, and says how many.
_ReadPiece = Callable[[int, int, int, Any], int]


def _read(lib: ctypes.CDLL, size_bytes: int, read_piece: _ReadPiece) -> bytes:
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


def _read_payload(
    lib: ctypes.CDLL, cursor: int, field: Field, mode: ReadMode, size_bytes: int
) -> bytes:
    def read_piece(offset: int, address: int, capacity_bytes: int, count: Any) -> int:
        status: int = lib.tl_payload_read(
            cursor, field, mode, offset, address, capacity_bytes, count
        )
        return status

    return _read(lib, size_bytes, read_piece)


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


_Decode = Callable[[_c.Row, Origin], _T]
Changed = Union[Trace, Observation, Score]


def changed_of(row: _c.Row, origin: Origin) -> Changed:
    if row.observation:
        return observation_of(row, origin)
    return trace_of(row, origin) if row.trace else score_of(row, origin)


def _unread(row: _c.Row, origin: Origin) -> Any:
    return None


def _tree_row(row: _c.Row, origin: Origin) -> Union[Trace, Observation]:
    return trace_of(row, origin) if row.trace else observation_of(row, origin)


class Reader:
    """What a store and a snapshot of it have in common.

    The lists take filters as keyword arguments; every condition that is given must hold, and
    `tags` means all of them. from_time is inclusive, to_time exclusive. A list comes in `order`,
    the largest first unless `ascending`, and ends after `limit` rows, if that is given; `after` is
    a `Rows.position`: the list goes on after that row, and stays right while rows are added.
    Payloads are fetched when they are asked for: as the list saw them while it stands on the row,
    later through the snapshot, or as of then.
    """

    _lib: ctypes.CDLL
    _gate: Gate

    def _guard(self) -> ContextManager[object]:
        """What to hold while _snapshot_handle() is used."""
        raise NotImplementedError

    def _snapshot_handle(self) -> Optional[int]:
        """The handle of the snapshot to read through, None for "now"."""
        raise NotImplementedError

    def _lasting(self) -> Reader:
        """What a row's payloads are read through, later."""
        return self

    # -- lists

    @takes(listing)
    def traces(self, **query: Any) -> Rows[Trace]:
        """Lists traces. session_id and user_id: the trace or one of its observations names it;
        level, type, model: one of its observations has all of those given."""
        return self._list(Kind.TRACE, trace_of, query)

    @takes(listing)
    def observations(self, **query: Any) -> Rows[Observation]:
        """Lists observations. session_id, user_id, tags, release are those of the trace."""
        return self._list(Kind.OBSERVATION, observation_of, query)

    @takes(listing)
    def scores(self, **query: Any) -> Rows[Score]:
        """Lists scores. user_id, tags, release, version are those of the trace; level, type, model
        of the observation, or of one in the trace."""
        return self._list(Kind.SCORE, score_of, query)

    @takes(listing)
    def sessions(self, **query: Any) -> Rows[Session]:
        """Lists the sessions that the traces selected name, with sums over just these."""
        return self._list(Kind.SESSION, session_of, query)

    @takes(listing)
    def users(self, **query: Any) -> Rows[Aggregate]:
        """Lists the users that the traces selected name, with sums over just these."""
        return self._list(Kind.USER, group_of, query)

    @takes(listing)
    def tags(self, **query: Any) -> Rows[Aggregate]:
        """Lists the tags of the traces selected, with sums over just these."""
        return self._list(Kind.TAG, group_of, query)

    @takes(listing)
    def environments(self, **query: Any) -> Rows[Aggregate]:
        """Lists the environments of the traces selected, with sums over just these."""
        return self._list(Kind.ENVIRONMENT, group_of, query)

    @takes(listing)
    def names(self, **query: Any) -> Rows[Aggregate]:
        """Lists the names of the observations selected, with sums over just these."""
        return self._list(Kind.NAME, group_of, query)

    @takes(listing)
    def models(self, **query: Any) -> Rows[Aggregate]:
        """Lists the models of the observations selected, with sums over just these."""
        return self._list(Kind.MODEL, group_of, query)

    @takes(listing)
    def days(self, **query: Any) -> Rows[Aggregate]:
        """Lists the days (UTC) that the observations selected began on, with sums over just these,
        for each model and for those without one. With no more than a model and times at midnight
        it takes no longer however many observations there are."""
        return self._list(Kind.DAY, group_of, query)

    def _list(self, kind: Kind, decode: _Decode[_T], query: Dict[str, Any]) -> Rows[_T]:
        order = Order.code_of(query.pop("order", Order.TIME), "order")
        if query.pop("ascending", False):
            order |= _c.ORDER_ASCENDING
        limit = query.pop("limit", None)
        if limit is not None:
            if limit == 0:
                raise InvalidError("limit is 0, but must be at least 1", field="limit")
            limit = integer_of(limit, "limit", 1, UINT64_MAX)
        after = _text(query.pop("after", None), "after")
        filter = filter_struct(query)
        rows = self._rows("tl_list", decode, kind, filter, order, after, limit or 0)
        rows._has_position = True
        return rows

    def _rows(self, function: str, decode: _Decode[_T], *arguments: Any) -> Rows[_T]:
        call = getattr(self._lib, function)
        rows = Rows(self, decode)
        with self._gate.call():
            store = self._gate.handle()
            with self._guard():
                snapshot = self._snapshot_handle()
                check(
                    self._lib,
                    call(store, snapshot, *arguments, ctypes.byref(rows._handle)),
                )
        return rows

    # -- single entities

    def get_trace(self, id: str) -> Trace:
        """The trace. Raises NotFoundError."""
        return self._get(Kind.TRACE, trace_of, None, id)

    def get_observation(self, id: str, *, trace_id: Optional[str] = None) -> Observation:
        """The observation; trace_id is needed where several traces have one with this id. Raises
        NotFoundError."""
        return self._get(Kind.OBSERVATION, observation_of, trace_id, id)

    def get_score(self, id: str) -> Score:
        """The score. Raises NotFoundError."""
        return self._get(Kind.SCORE, score_of, None, id)

    def get_session(self, id: str) -> Session:
        """The session. Raises NotFoundError."""
        return self._get(Kind.SESSION, session_of, None, id)

    def session(self, id: str) -> Session:
        """The session: its `replay()` and its `traces()` are what is in it. Raises NotFoundError."""
        return self.get_session(id)

    def _get(self, kind: Kind, decode: _Decode[_T], trace_id: Optional[str], id: str) -> _T:
        with self._one(kind, decode, trace_id, id) as rows:
            return next(rows)

    def _one(self, kind: Kind, decode: _Decode[_T], trace_id: Optional[str], id: str) -> Rows[_T]:
        return self._rows("tl_get", decode, kind, _text(trace_id, "trace_id"), _text(id, "id"))

    def _payload(
        self, kind: Kind, trace_id: Optional[str], id: str, field: Field, mode: ReadMode
    ) -> Payload:
        with self._lasting()._one(kind, _DECODE[kind], trace_id, id) as rows:
            payload: Payload = next(rows)._later.read(field, mode)
            return payload

    # -- media

    def read_media(self, id: str, *, offset: int = 0, size_bytes: Optional[int] = None) -> Media:
        """The medium with this id, or that a reference in a payload as it is stored names: all of
        its bytes, or so many from an offset. Raises NotFoundError."""
        medium = _c.Medium()
        medium.struct_size = ctypes.sizeof(medium)
        wanted = _text(id, "id")
        offset = integer_of(offset, "offset", 0, UINT64_MAX)
        with self._gate.call():
            store = self._gate.handle()
            with self._guard():
                snapshot = self._snapshot_handle()

                def read_piece(done: int, address: Optional[int], capacity: int, count: Any) -> int:
                    status: int = self._lib.tl_media_read(
                        store,
                        snapshot,
                        wanted,
                        offset + done,
                        address,
                        capacity,
                        count,
                        ctypes.byref(medium),
                    )
                    return status

                count = ctypes.c_size_t()
                check(self._lib, read_piece(0, None, 0, ctypes.byref(count)))
                left = max(0, medium.size_bytes - offset)
                if size_bytes is not None:
                    left = min(left, integer_of(size_bytes, "size_bytes", 0, UINT64_MAX))
                data = _read(self._lib, left, read_piece)
                mime = medium.mime[: medium.mime_size_bytes].decode()
        return Media(mime, medium.size_bytes, medium.use_count, data)

    # -- trees and replays

    def trace(self, id: str) -> Trace:
        """The trace with its observations: each has its depth and children, and comes before
        them, siblings in the order of time. Raises NotFoundError."""
        with self._rows("tl_tree", _tree_row, _text(id, "id")) as rows:
            trace = next(rows)
            assert isinstance(trace, Trace)
            below = [row for row in rows if isinstance(row, Observation)]
        hide(trace, observations=with_children(below))
        return trace

    def _tree(self, id: str) -> Trace:
        return self._lasting().trace(id)

    def replay(
        self,
        session_id: str,
        *,
        speed: float = 1.0,
        max_gap: Union[float, timedelta, None] = None,
    ) -> Rows[Step]:
        """Replays a session: the begin and end of every trace and observation, in the order of
        time. Does not sleep: Step.wait tells how long to wait before the step, with speed 10 a
        tenth of the time recorded, never more than max_gap seconds. Raises NotFoundError.
        """
        options = _c.ReplayOptions()
        options.struct_size = ctypes.sizeof(options)
        if not 0 < speed < math.inf:
            raise InvalidError(f"speed is {speed!r}, but must be more than 0", field="speed")
        options.speed = speed
        if max_gap is not None:
            seconds = max_gap.total_seconds() if isinstance(max_gap, timedelta) else max_gap
            if not 0 <= seconds < math.inf:
                raise InvalidError(
                    f"max_gap is {max_gap!r}, but must not be negative", field="max_gap"
                )
            # 0 is "no limit" to the library.
            options.max_gap_ns = max(1, min(round(seconds * 1e9), INT64_MAX))
        return self._rows("tl_replay", step_of, _text(session_id, "session_id"), options)

    # -- export

    @takes(exporting)
    def export_events(
        self, target: Target, *, progress: Optional[Progress] = None, **conditions: Any
    ) -> None:
        """Writes Langfuse ingestion events, one a line, into a path or binary file: everything, or
        what belongs to the traces that the filters select. Importing them gives the same visible
        state. progress(done, total) counts traces; an exception from it or the file stops.
        """
        filter = filter_struct(conditions)
        with self._gate.call():
            store = self._gate.handle()
            with self._guard():
                write_events(self._lib, store, self._snapshot_handle(), filter, target, progress)


_DECODE: Dict[Kind, _Decode[Any]] = {
    Kind.TRACE: trace_of,
    Kind.OBSERVATION: observation_of,
    Kind.SCORE: score_of,
}

_CLASS: Dict[Any, type] = {
    trace_of: Trace,
    observation_of: Observation,
    score_of: Score,
    session_of: Session,
    group_of: Aggregate,
    step_of: Step,
}


def _text(value: Optional[str], field: str) -> _c.Text:
    if value is None:
        return _NO_TEXT
    data = text_bytes(value, field)
    return _c.Text(data, len(data))
