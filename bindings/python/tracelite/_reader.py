"""Reading: lists, trees, replays and payloads, through a store or a snapshot of it."""

from __future__ import annotations

import ctypes
import math
from datetime import timedelta
from typing import Any, ContextManager, Dict, Optional, TypeVar, Union

from . import _c
from ._c import Field, Kind, ReadMode
from ._cursor import Decode, Rows, read_pieces
from ._decoding import (
    group_of,
    observation_of,
    score_of,
    session_of,
    step_of,
    trace_of,
    with_children,
)
from ._errors import InvalidError, check
from ._events import Progress, Target, write_events
from ._fields import filter_struct, takes
from ._gate import Gate
from ._opened import check_target
from ._origin import Origin, hide
from ._parameters import exporting, listing
from ._rows import Aggregate, Media, Observation, Score, Session, Step, Trace
from ._values import INT64_MAX, UINT64_MAX, Order, Payload, integer_of, text_bytes

_T = TypeVar("_T")
_NO_TEXT = _c.Text(None, 0)

Changed = Union[Trace, Observation, Score]


def changed_of(row: _c.Row, origin: Origin) -> Changed:
    if row.observation:
        return observation_of(row, origin)
    return trace_of(row, origin) if row.trace else score_of(row, origin)


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

    def _list(self, kind: Kind, decode: Decode[_T], query: Dict[str, Any]) -> Rows[_T]:
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

    def _rows(self, function: str, decode: Decode[_T], *arguments: Any) -> Rows[_T]:
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

    def _get(self, kind: Kind, decode: Decode[_T], trace_id: Optional[str], id: str) -> _T:
        with self._one(kind, decode, trace_id, id) as rows:
            return next(rows)

    def _one(self, kind: Kind, decode: Decode[_T], trace_id: Optional[str], id: str) -> Rows[_T]:
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
        medium = _c.MediumOut()
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
                data = read_pieces(self._lib, left, read_piece)
                mime = _c.text_of(medium.mime, medium.mime_size_bytes) or ""
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
        state. progress(done, total) counts traces; an exception from it or the file stops. The
        file of a store that this process has open is refused.
        """
        filter = filter_struct(conditions)
        check_target(target)
        with self._gate.call():
            store = self._gate.handle()
            with self._guard():
                write_events(self._lib, store, self._snapshot_handle(), filter, target, progress)


_DECODE: Dict[Kind, Decode[Any]] = {
    Kind.TRACE: trace_of,
    Kind.OBSERVATION: observation_of,
    Kind.SCORE: score_of,
}


def _text(value: Optional[str], field: str) -> _c.Text:
    if value is None:
        return _NO_TEXT
    data = text_bytes(value, field)
    return _c.Text(data, len(data))
